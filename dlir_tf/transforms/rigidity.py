"""Matrices that keep lengths, or angles: rigid motions and similarities."""

import numpy as np

from dlir_tf.images.grid import apply_affine


def nearest_rigid(
    matrix: np.ndarray, centre: np.ndarray, *, scaled: bool = False
) -> np.ndarray:
    """The closest matrix whose linear part is a rotation, exactly.

    Single precision and axes that are perpendicular but for a few digits leave a
    rotation that is none any more; this takes away what they did.

    Args:
        matrix: World-to-world matrix `(ndim + 1, ndim + 1)`.
        centre: The point that goes where it went, `(ndim,)`.
        scaled: Whether a rotation times one scale will do.

    Returns:
        `(ndim + 1, ndim + 1)`; without a reflection if `matrix` has none.
    """
    left, _, right = np.linalg.svd(matrix[:-1, :-1])
    rotation = left @ right
    if scaled:
        volume = abs(np.linalg.det(matrix[:-1, :-1]))
        rotation = rotation * volume ** (1 / len(rotation))
    result = np.array(matrix, np.float64)
    result[:-1, :-1] = rotation
    result[:-1, -1] = apply_affine(matrix, centre) - rotation @ centre
    return result
