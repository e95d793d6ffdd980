"""The order of training: stage after stage, then perhaps all together."""

import math
from dataclasses import dataclass, replace

from dlir_tf.config import Config


@dataclass(frozen=True)
class Phase:
    """A part of the training with its own trainable stages and schedule.

    Attributes:
        name: For logs, such as `stage_2_bspline` or `joint`.
        num_frozen: Stages, counted from the first, that aren't trained.
        num_stages: Stages in use, the frozen ones included.
        steps: Training steps.
        learning_rate: The largest one of the schedule.
    """

    name: str
    num_frozen: int
    num_stages: int
    steps: int
    learning_rate: float

    def learning_rate_at(self, step: int) -> float:
        """Linear warm-up over the first twentieth, then half a cosine to 1 %."""
        warm_up = max(1, self.steps // 20)
        if step < warm_up:
            return self.learning_rate * (step + 1) / warm_up
        progress = (step - warm_up) / max(1, self.steps - warm_up)
        return self.learning_rate * (0.505 + 0.495 * math.cos(math.pi * progress))


def training_phases(config: Config, steps: int | None = None) -> list[Phase]:
    """Returns the phases of a config's training.

    Args:
        config: The config.
        steps: Steps for every stage that is trained by itself, instead of the config's.
    """
    training = config.training
    phases = [
        Phase(
            name=config.network_names[index],
            num_frozen=index,
            num_stages=index + 1,
            steps=number,
            learning_rate=stage.learning_rate or training.learning_rate,
        )
        for index, stage in enumerate(config.stages)
        if (number := stage.steps or training.steps)
    ]
    if steps is not None:
        phases = [replace(phase, steps=steps) for phase in phases]
    if training.joint_steps:
        phases.append(
            Phase(
                name="joint",
                num_frozen=0,
                num_stages=len(config.stages),
                steps=min(training.joint_steps, steps or training.joint_steps),
                learning_rate=training.joint_learning_rate,
            )
        )
    return phases
