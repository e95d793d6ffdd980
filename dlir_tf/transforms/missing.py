"""Interpolating images that have no value at some voxels: NaN, for a number.

A place takes the value of the voxels around it that have one, by their weights. It has
none itself where less than half of the weights are theirs: as at the border of an
image, the outermost values reach half a voxel beyond their centres.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

Sample = Callable[[np.ndarray, np.ndarray, int], np.ndarray]

_LEAST_WEIGHT = 0.5 - 1e-6


def continued(array: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """An array with the nearest voxel's value where it has none."""
    if missing.all():
        return np.zeros_like(array)
    nearest = ndimage.distance_transform_edt(
        missing, return_distances=False, return_indices=True
    )
    filled: np.ndarray = array[tuple(nearest)]
    return filled


def between_known(
    sample: Sample, array: np.ndarray, known: np.ndarray, voxels: np.ndarray
) -> np.ndarray:
    """Linear interpolation between voxels that have a value; see this module.

    Args:
        sample: Takes an array, places and an order.
        array: With zeros where it has no value.
        known: 1 where it has one, 0 elsewhere, float32.
        voxels: Places `(ndim, *shape)`.

    Returns:
        `shape`, float64; NaN where there is no value.
    """
    weights = sample(known, voxels, 1)
    values = sample(array, voxels, 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(weights >= _LEAST_WEIGHT, values / weights, np.nan)
