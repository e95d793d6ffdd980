"""Linear resampling between grids whose axes are parallel, one axis after another."""

import numpy as np

# Grids count as parallel if no voxel is further off than this, in voxels.
_TOLERANCE = 1e-5


def resample_along_axes(
    array: np.ndarray, matrix: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray | None:
    """Interpolates linearly on a grid that runs along the array's axes.

    Axes may be permuted and flipped. The same as `scipy.ndimage.affine_transform` of
    order 1 with the mode `nearest`, at a tenth of the time: every axis has its own
    positions, and two multiplications a voxel are enough for each.

    Args:
        array: Floating point.
        matrix: From the grid's voxels to the array's, `(ndim + 1, ndim + 1)`.
        shape: Of the grid.

    Returns:
        `shape`, the array's dtype, in C order; `None` if the axes aren't parallel.
    """
    linear, ndim = matrix[:-1, :-1], array.ndim
    # Which axis of the grid each axis of the array follows.
    followed = np.argmax(np.abs(linear), axis=1)
    rows = np.arange(ndim)
    steps = linear[rows, followed]
    stray = linear.copy()
    stray[rows, followed] = 0
    if len(set(followed.tolist())) < ndim or np.abs(stray @ shape).max() > _TOLERANCE:
        return None
    result = np.ascontiguousarray(array.transpose(np.argsort(followed)))
    for own, axis in enumerate(followed.tolist()):
        positions = matrix[own, -1] + steps[own] * np.arange(shape[axis])
        result = _resample_axis(result, positions, axis)
    return result


def _resample_axis(array: np.ndarray, positions: np.ndarray, axis: int) -> np.ndarray:
    """Interpolates at positions along one axis; its ends go on beyond them."""
    size = array.shape[axis]
    positions = np.clip(positions, 0, size - 1)
    # What the inverse of a matrix leaves of a whole number.
    whole = np.rint(positions)
    positions = np.where(np.abs(positions - whole) < 1e-9, whole, positions)
    low = np.minimum(positions.astype(int), max(size - 2, 0))
    weights = (positions - low).astype(array.dtype)
    if not weights.any():
        unchanged = np.array_equal(low, np.arange(size))
        return array if unchanged else array.take(low, axis)
    weights = weights.reshape([-1 if a == axis else 1 for a in range(array.ndim)])
    result = array.take(low, axis)
    result *= 1 - weights
    high = array.take(np.minimum(low + 1, size - 1), axis)
    high *= weights
    result += high
    return result
