"""The last steps of a linear stage, by the curvature that few numbers let one see.

Steps of a size that is given find the way into a valley, but go to and fro on its
floor; there, quasi-Newton steps come to rest within a hundredth of a voxel.
"""

import math

import numpy as np
from scipy import optimize

from dlir_tf.refinement.descent import Objective

# Where the loss falls by less than this part of it, or its slope is less, it rests.
_LEAST_FALL, _LEAST_SLOPE = 1e-9, 1e-7


def settle(
    objective: Objective, start: np.ndarray, steps: int
) -> tuple[np.ndarray, int]:
    """Goes to the bottom of the valley that numbers are in, by L-BFGS.

    Args:
        objective: What is minimised.
        start: `(count,)`, float32.
        steps: How often the objective may be evaluated.

    Returns:
        The best numbers, and how often it was.
    """
    best, lowest, taken = start, math.inf, 0

    def evaluate(numbers: np.ndarray) -> tuple[float, np.ndarray]:
        nonlocal best, lowest, taken
        narrow = numbers.astype(np.float32)
        loss, gradient = objective(narrow)
        taken += 1
        if loss < lowest:
            best, lowest = narrow, loss
        return loss, gradient.astype(np.float64)

    if steps > 1:
        limits = {"maxfun": steps, "ftol": _LEAST_FALL, "gtol": _LEAST_SLOPE}
        optimize.minimize(
            evaluate,
            start.astype(np.float64),
            jac=True,
            method="L-BFGS-B",
            options=limits,
        )
    return best, taken
