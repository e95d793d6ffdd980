"""Weights that a training begins with: those of another model.

It may have fewer stages. Further ones are like its last one then, and begin with the
weights of that: networks that see both images find more when they look again, at what
they have warped.
"""

from typing import Any

import keras
import numpy as np

from dlir_tf.config import Config
from dlir_tf.errors import InputError

# What of a stage says how it is trained, and nothing of its network.
_OF_TRAINING = {
    "steps",
    "learning_rate",
    "bending_energy",
    "folding_penalty",
}


def check_stages(config: Config, initial: Config, source: str) -> None:
    """Refuses weights of other networks than a config's first stages.

    Args:
        config: What is to be trained.
        initial: What the weights are of.
        source: Where they come from, for messages.

    Raises:
        InputError: If the networks differ.
    """
    difference = _first_difference(config, initial)
    if difference is not None:
        place, ours, theirs = difference
        raise InputError(
            f"{source}: its weights don't fit, since {place} is {theirs} there and "
            f"{ours} in the config; give the training the same stages (further ones "
            "are like the last one), or choose other initial weights"
        )


def stacked_weights(network: keras.Model, num_stages: int) -> list[np.ndarray]:
    """The weights of a network, those of its last stage once for each further one.

    Args:
        network: Whose weights they are, one layer a stage.
        num_stages: Of the network that they are for, at least as many.
    """
    stages = [layer.get_weights() for layer in network.layers if layer.weights]
    stages += [stages[-1]] * (num_stages - len(stages))
    return [weights for stage in stages for weights in stage]


def _first_difference(config: Config, initial: Config) -> tuple[str, Any, Any] | None:
    """Where two configs ask for different networks, and what each asks for."""
    if config.ndim != initial.ndim:
        return "ndim", config.ndim, initial.ndim
    further = len(config.stages) - len(initial.stages)
    if further < 0:
        return "the number of stages", len(config.stages), len(initial.stages)
    theirs = initial.stages + initial.stages[-1:] * further
    for index, stages in enumerate(zip(config.stages, theirs, strict=True)):
        own, other = (s.model_dump(mode="json", exclude=_OF_TRAINING) for s in stages)
        for key in ("transform", *own):
            if own[key] != other.get(key):
                return f"stages[{index}].{key}", own[key], other.get(key)
    return None
