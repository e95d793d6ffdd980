"""Voxels without a value: NaN, for a number.

Programs write NaN where nothing was measured: around the brain in maps of fractional
anisotropy or of susceptibility, say. Such voxels count like those outside of a mask.
"""

from typing import Any

import numpy as np


def missing_voxels(array: np.ndarray) -> np.ndarray | None:
    """Where an array has NaN, bool; `None` if nowhere."""
    if array.dtype.kind != "f":
        return None
    missing = np.isnan(array)
    return missing if missing.any() else None


def limits_of(array: np.ndarray) -> tuple[Any, Any]:
    """The smallest and the largest value, NaN aside.

    Example:

    >>> low, high = limits_of(np.array([3.0, np.nan, 1.0]))
    >>> float(low), float(high)
    (1.0, 3.0)
    """
    if array.dtype.kind != "f":
        return array.min(), array.max()
    return np.fmin.reduce(array, axis=None), np.fmax.reduce(array, axis=None)
