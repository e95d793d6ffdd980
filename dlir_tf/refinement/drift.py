"""Keeping an affine transform from drifting away.

Beyond the border of the moving image there is nothing that could tell an affine
transform to come back, and some similarities like two empty places better than two
organs that don't fit yet.
"""

import numpy as np

from dlir_tf.images.grid import is_within

# The share of what both images showed at the start which they must show in the end.
LEAST_OVERLAP = 0.5
# Self-similarities of air of one value and of noise differ most, and are the more alike
# the less of them both images show: an affine transform stretches one out of the other.
LEAST_BY_CONTEXT = 0.75
# Along each axis, so many voxels at most are asked where they go.
_MOST_PER_AXIS = 24


def leads_apart(
    matrix: np.ndarray, start: np.ndarray, mask: np.ndarray, *, by_context: bool = False
) -> bool:
    """Whether a matrix takes too much of the fixed image out of the moving one.

    Args:
        matrix: `(ndim, ndim + 1)`, in voxels of the working grid.
        start: The matrix at the start, against which it is judged.
        mask: Where both images have voxels, `(*size)`, bool.
        by_context: Whether self-similarities are what led there.

    Example: out of an image of 10 voxels, by 6 of them, and by 4.

    >>> mask, still = np.ones((10, 10), bool), np.eye(2, 3)
    >>> leads_apart(still + [[0, 0, 6], [0, 0, 0]], still, mask)
    True
    >>> leads_apart(still + [[0, 0, 4], [0, 0, 0]], still, mask)
    False
    """
    least = LEAST_BY_CONTEXT if by_context else LEAST_OVERLAP
    return _overlap(matrix, mask) < least * _overlap(start, mask)


def _overlap(matrix: np.ndarray, mask: np.ndarray) -> float:
    """The share of the mask's voxels that stay within the grid."""
    steps = [-(-size // _MOST_PER_AXIS) for size in mask.shape]
    coarse = mask[tuple(slice(None, None, step) for step in steps)]
    voxels = np.transpose(np.argwhere(coarse) * steps)
    if not voxels.size:
        return 0.0
    places = matrix[:, :-1] @ voxels + matrix[:, -1:]
    inside = [is_within(*axis) for axis in zip(mask.shape, places, strict=True)]
    return float(np.all(inside, axis=0).mean())
