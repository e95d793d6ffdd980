"""How well the inverse of a registration's transform does."""

from dataclasses import dataclass

import numpy as np

from dlir_tf.images import Image
from dlir_tf.transforms import Transform

MAX_POINTS = 20_000
LARGE_MM = 0.01


@dataclass(frozen=True)
class InverseResidual:
    """How far points are from where they started, after the inverse and the transform.

    Attributes:
        num_points: How many points were tried.
        largest_mm: The largest distance; NaN without any point.
        num_large: At how many points it is above `LARGE_MM`.
    """

    num_points: int
    largest_mm: float
    num_large: int

    def __str__(self) -> str:
        """A sentence for the user."""
        if not self.num_points:
            return "no point of the moving image comes from the fixed image"
        found = f"the inverse's residual is at most {self.largest_mm:.2g} mm"
        if self.num_large:
            where = (
                f"above {LARGE_MM} mm at {self.num_large} of {self.num_points} points"
            )
            return f"{found}, {where}: the transform folds there, or ends"
        return f"{found}, at {self.num_points} points of the moving image"


def inverse_residual(
    transform: Transform, fixed: Image, moving: Image
) -> InverseResidual:
    """Measures the inverse on voxels spread evenly over the moving image.

    Only those count that come from the fixed image, from between its outermost voxel
    centres: what lies beyond, the transform wasn't made for.

    Args:
        transform: From fixed to moving points.
        fixed: Only its grid counts.
        moving: Only its grid counts.
    """
    points = _spread_points(moving)
    came_from = transform.inverse().map_points(points)
    inside = _is_inside(fixed, came_from)
    back = transform.map_points(came_from[inside])
    residuals = np.linalg.norm(back - points[inside], axis=-1)
    return InverseResidual(
        num_points=len(residuals),
        largest_mm=float(residuals.max()) if residuals.size else np.nan,
        num_large=int(np.count_nonzero(residuals > LARGE_MM)),
    )


def _spread_points(image: Image) -> np.ndarray:
    """At most about `MAX_POINTS` voxel centres, world mm, always the same."""
    every = max(1, int(np.ceil((image.array.size / MAX_POINTS) ** (1 / image.ndim))))
    axes = [np.arange((size - 1) % every // 2, size, every) for size in image.shape]
    voxels = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, image.ndim)
    return voxels @ image.affine[:-1, :-1].T + image.affine[:-1, -1]


def _is_inside(image: Image, points: np.ndarray) -> np.ndarray:
    """Which points lie between the voxel centres; of one voxel, within it."""
    to_voxels = np.linalg.inv(image.affine)
    voxels = points @ to_voxels[:-1, :-1].T + to_voxels[:-1, -1]
    centre = (np.asarray(image.shape) - 1) / 2
    return np.asarray(np.all(np.abs(voxels - centre) <= np.maximum(centre, 0.5), -1))
