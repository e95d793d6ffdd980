"""The phases of a refinement, from coarse to fine."""

import math
from dataclasses import dataclass

from dlir_tf.config import Config

_LAST_RATE = 0.05  # as a part of the first
# Fewer steps than these, from where a network or earlier phases have come, are smaller
# in proportion: the first few overshoot, and no others would make up for it.
_ENOUGH, _ENOUGH_IN_A_PHASE = 40, 20


@dataclass(frozen=True)
class Phase:
    """Steps that refine some variables at one resolution.

    Attributes:
        name: For progress.
        variables: Which are refined; the stages of no others take part.
        factor: The downsampling of the images that are compared.
        steps: At most so many.
        caution: What the config's learning rate is multiplied by.
    """

    name: str
    variables: tuple[str, ...]
    factor: tuple[int, ...]
    steps: int
    caution: float = 1.0


def plan_phases(config: Config, steps: int, *, from_nothing: bool) -> list[Phase]:
    """Spreads the steps over the stages.

    From nothing, the transform grows as in training: the matrix first, then with
    each deformable stage one phase, at its resolution, that refines all stages so far.
    The last phase has a double share of the steps. What a network has found is
    refined as a whole, together with the stages that only the refinement has, at the
    resolution of the last stage. Whatever goes on from something takes few steps with
    caution.

    Args:
        config: The stages.
        steps: In all, at least 1.
        from_nothing: Whether there's nothing yet but the initial alignment.

    Returns:
        At least one phase; the last one has all variables. If there are fewer steps
        than phases, the coarsest are left out.
    """
    if not from_nothing:
        return [Phase(*_growth(config)[-1], steps, min(1.0, steps / _ENOUGH))]
    grown = _growth(config)[-steps:]
    shares = [1] * (len(grown) - 1) + [2]
    phases: list[Phase] = []
    left = steps
    for position, (name, variables, factor) in enumerate(grown):
        count = max(1, round(left * shares[position] / sum(shares[position:])))
        caution = min(1.0, count / _ENOUGH_IN_A_PHASE) if phases else 1.0
        phases.append(Phase(name, variables, factor, count, caution))
        left -= count
    return phases


def rate_at(config: Config, phase: Phase, number: int) -> float:
    """The rate of a step of a phase, counted from 1.

    It falls along a cosine, so that the last steps settle.
    """
    share = 0.5 * (1 + math.cos(math.pi * (number - 1) / phase.steps))
    first = phase.caution * config.refinement.learning_rate
    return first * (_LAST_RATE + (1 - _LAST_RATE) * share)


def _growth(config: Config) -> list[tuple[str, tuple[str, ...], tuple[int, ...]]]:
    """Name, variables and resolution of each phase; linear stages count as one."""
    grown: list[tuple[str, tuple[str, ...], tuple[int, ...]]] = []
    variables: tuple[str, ...] = ()
    if linear := config.freest_linear_stage:
        variables = (linear.name,)
        grown.append((linear.stage.transform, variables, linear.stage.downsample))
    for number, name, spline in config.all_deformable_stages:
        variables = (*variables, name)
        grown.append((f"stage {number}", variables, spline.downsample))
    return grown
