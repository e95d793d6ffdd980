"""How far a transform and its inverse can be trusted on a grid."""

import warnings

import numpy as np

from dlir_tf.images import Grid, Image
from dlir_tf.transforms import Inverse, Transform

_LARGE_RESIDUAL_MM = 0.1
_SAMPLE_PER_AXIS = {2: 128, 3: 26}  # about 17,000 points
_MAX_FOUND = 20_000


def points_with_values(transform: Transform, moving: Grid, grid: Grid) -> np.ndarray:
    """Samples the voxels of a grid whose values come from inside an image.

    Args:
        transform: From the grid's world to the image's.
        moving: The image's grid.
        grid: Whose voxels.

    Returns:
        `(num_points, ndim)`, world RAS+ mm, evenly over the grid; none if, and only
        if, no voxel at all comes from inside.
    """
    count = _SAMPLE_PER_AXIS[grid.ndim]
    axes = [np.unique(np.rint(np.linspace(0, n - 1, count))) for n in grid.shape]
    voxels = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    points = grid.to_world(voxels.reshape(-1, grid.ndim))
    inside = moving.contains(transform.map_points(points))
    if inside.any():
        return points[inside]
    # What the sample passes over, all voxels together don't.
    ones = Image(np.broadcast_to(np.uint8(1), moving.shape), moving.affine)
    moved = transform.resample(ones, grid, interpolation="nearest")
    return grid.to_world(np.argwhere(moved.array)[:_MAX_FOUND])


def report_inverse(transform: Transform, points: np.ndarray, name: str) -> str | None:
    """Measures an inverse that is solved for, instead of promising it.

    Warns where it is off by more than 0.1 mm.

    Args:
        transform: What maps the points.
        points: `(num_points, ndim)`, world RAS+ mm.
        name: What the points are of, for the message.

    Returns:
        A line about it; `None` if nothing in the transform is solved for, it was
        warned, or there are no points.
    """
    if not (is_solved_for(transform) and len(points)):
        return None
    residual = transform.inverse().inverse_residual(points)
    largest, off = residual.max(), np.mean(residual > _LARGE_RESIDUAL_MM)
    if off > 0:
        warnings.warn(
            f"{name}: the inverse is off by up to {largest:.3g} mm, and by more than "
            f"{_LARGE_RESIDUAL_MM} mm at {100 * off:.2g} % of the points that were "
            "tried; where the transform folds or ends there is no inverse, so the "
            "result can't be trusted there",
            stacklevel=2,
        )
        return None
    return (
        f"{name}: the inverse holds to {max(largest, 1e-6):.1g} mm (the largest "
        f"residual of {len(points)} points)"
    )


def is_solved_for(transform: Transform) -> bool:
    """Whether a transform is an inverse without a formula, solved point by point."""
    return any(isinstance(part, Inverse) for part in transform.components)
