"""Gradient descent on the numbers of one stage."""

import math
from collections.abc import Callable

import numpy as np

from dlir_tf.config import Config
from dlir_tf.refinement.phases import Phase

# Takes numbers; returns the loss and its gradient.
Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]
# Takes the name of a phase, its steps done, its steps to do and the loss.
OnProgress = Callable[[str, int, int, float], object]

# Steps between looks at the loss, and at whether to go on.
CHECK_EVERY = 10
# A phase ends when so many looks on end brought less than this part of what it gained.
PATIENCE = 2
LEAST_GAIN = 0.005

_MOMENTUM, _MEMORY, _TINY = 0.9, 0.99, 1e-10
# Of the mean square of the gradient's numbers, which is added to that of each of them:
# control points in the background, of next to no gradient, stay where they are.
FLOOR = 0.3


def descend(
    objective: Objective,
    start: np.ndarray,
    config: Config,
    phase: Phase,
    on_progress: OnProgress,
    floor: float,
) -> tuple[np.ndarray, int]:
    """Goes on until the steps are used up, or bring nothing any more.

    The steps are those of Adam (Kingma and Ba, 2015, https://arxiv.org/abs/1412.6980),
    but for the floor.

    Args:
        objective: What is minimised.
        start: Any shape, float32.
        config: Says the learning rate.
        phase: Says how many steps.
        on_progress: Called now and then.
        floor: `FLOOR` or 0.

    Returns:
        The best numbers, and how many steps were taken.
    """
    numbers, best, best_loss = start, start, math.inf
    mean = square = np.zeros_like(start)
    looks: list[float] = []
    for number in range(phase.steps + 1):
        loss, gradient = objective(numbers)
        if loss < best_loss:
            best, best_loss = numbers, loss
        if number in (1, phase.steps) or number % CHECK_EVERY == 0 < number:
            looks.append(loss)
            on_progress(phase.name, number, phase.steps, loss)
            if not math.isfinite(loss) or is_done(looks):
                break
        if number == phase.steps:
            break
        mean = _MOMENTUM * mean + (1 - _MOMENTUM) * gradient
        square = _MEMORY * square + (1 - _MEMORY) * gradient**2
        direction = mean / (1 - _MOMENTUM ** (number + 1))
        above_floor = square + floor * float(square.mean())
        length = np.sqrt(above_floor / (1 - _MEMORY ** (number + 1))) + _TINY
        numbers = numbers - phase.rate(config, number + 1) * direction / length
    return best, number


def is_done(losses: list[float]) -> bool:
    """Whether the last looks show too little of what was gained since the worst.

    Which isn't always the start: the first steps overshoot, and are made up for.
    """
    falling = losses[losses.index(max(losses)) :]
    if len(falling) <= PATIENCE:
        return False
    earlier, lately = min(falling[:-PATIENCE]), min(falling[-PATIENCE:])
    return earlier - lately <= LEAST_GAIN * (falling[0] - lately)
