"""Distance of landmarks, for training with them."""

from typing import Any

from keras import ops

from dlir_tf.layers.sampling import sample_linear
from dlir_tf.losses.weighting import weighted_mean

Tensor = Any

_LEAST_SQUARE = 1e-6  # mm²: where two points meet, their distance has no gradient


def landmark_error(
    fixed_points: Tensor,
    moving_points: Tensor,
    ddf: Tensor,
    spacing: Tensor,
    weights: Tensor | None = None,
) -> Tensor:
    """Mean distance of mapped landmarks from their counterparts.

    A field maps points of the fixed image to the moving one; at points between
    voxels it is interpolated linearly, and beyond its border it goes on as there.

    Args:
        fixed_points: Voxel coordinates, `(batch, num_points, ndim)`.
        moving_points: The same shape, in voxels of the same grid.
        ddf: Displacements in voxels, `(batch, *size, ndim)`.
        spacing: Voxel size in mm, `(batch, ndim)`.
        weights: How much each landmark counts, `(batch, num_points)`, 0 for one that
            isn't there; `None` for all ones.

    Returns:
        `(batch,)`, mm; 0 where no landmark counts.

    Example: what lies one voxel of 2 mm further is found by half.

    >>> points = ops.ones((1, 1, 2))
    >>> ddf = ops.broadcast_to(ops.array([0.5, 0.0]), (1, 4, 4, 2))
    >>> further = points + ops.array([1.0, 0.0])
    >>> error = landmark_error(points, further, ddf, ops.array([[2.0, 3.0]]))
    >>> round(float(error[0]), 4)
    1.0
    """
    mapped = fixed_points + sample_linear(ddf, fixed_points)
    apart = (mapped - moving_points) * spacing[:, None]
    squares = ops.sum(ops.square(apart), axis=-1)
    distances = ops.sqrt(ops.maximum(squares, _LEAST_SQUARE))
    if weights is None:
        weights = ops.ones_like(distances)
    return weighted_mean(distances, ops.cast(weights, "float32"))
