"""DenseField: a deformation given by its displacement at every voxel of a grid."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from dlir_tf.images.grid import apply_affine
from dlir_tf.transforms.inverse import Inverse


@dataclass(frozen=True, eq=False)
class DenseField:
    """A dense displacement field: `x -> x + u(x)`, interpolated linearly.

    As in ITK, a voxel reaches half a voxel beyond its centre; farther outside, the
    displacement is zero.

    Attributes:
        displacement: `(*shape, ndim)`, mm along the world axes (RAS+).
        affine: Voxel-to-world matrix of its grid, `(ndim + 1, ndim + 1)`.

    Raises:
        ValueError: If shapes don't fit.
    """

    displacement: np.ndarray
    affine: np.ndarray

    def __post_init__(self) -> None:
        """Checks that field and grid belong together."""
        field, affine = self.displacement, np.array(self.affine, np.float64)
        object.__setattr__(self, "affine", affine)
        ndim = field.ndim - 1
        if (
            ndim not in (2, 3)
            or field.shape[-1] != ndim
            or affine.shape != (ndim + 1, ndim + 1)
        ):
            raise ValueError(
                "DenseField: expected a displacement (i, j, 2) with a 3x3 affine or "
                "(i, j, k, 3) with a 4x4 one. "
                f"Received: {field.shape} and {affine.shape}"
            )

    @property
    def ndim(self) -> int:
        """2 or 3."""
        return self.displacement.ndim - 1

    @cached_property
    def _to_voxels(self) -> np.ndarray:
        return np.linalg.inv(self.affine)

    @property
    def _last(self) -> np.ndarray:
        return np.asarray(self.displacement.shape[:-1]) - 1.0

    def map_points(self, points: np.ndarray) -> np.ndarray:
        """Maps points `(num_points, ndim)`, world mm."""
        voxels = apply_affine(self._to_voxels, points)
        inside = self._inside(voxels)
        return points + np.where(inside[:, None], self._interpolate(voxels), 0.0)

    def jacobian(self, points: np.ndarray) -> np.ndarray:
        """Derivatives at points `(num_points, ndim)`: differences over one voxel."""
        voxels = apply_affine(self._to_voxels, points)
        per_voxel = np.zeros((len(points), self.ndim, self.ndim))
        for axis, last in enumerate(self._last):
            low, high = voxels.copy(), voxels.copy()
            low[:, axis] = np.clip(voxels[:, axis] - 0.5, 0, max(last - 0.5, 0))
            high[:, axis] = np.clip(voxels[:, axis] + 0.5, min(0.5, last), last)
            width = np.maximum(high[:, axis] - low[:, axis], 1e-9)[:, None]
            difference = self._interpolate(high) - self._interpolate(low)
            per_voxel[:, :, axis] = difference / width
        per_voxel[~self._inside(voxels)] = 0.0
        return np.eye(self.ndim) + per_voxel @ self._to_voxels[:-1, :-1]

    def covers(self, points: np.ndarray) -> np.ndarray:
        """Which points lie within the grid, half a voxel around it included."""
        return self._inside(apply_affine(self._to_voxels, points))

    def inverse(self) -> Inverse:
        """The map back, solved for point by point."""
        return Inverse(self)

    def _inside(self, voxels: np.ndarray) -> np.ndarray:
        low, high = -0.5 - 1e-6, self._last + 0.5 + 1e-6
        return np.asarray(np.all((voxels >= low) & (voxels <= high), axis=-1))

    def _interpolate(self, voxels: np.ndarray) -> np.ndarray:
        return np.stack(
            [
                ndimage.map_coordinates(
                    self.displacement[..., component],
                    voxels.T,
                    order=1,
                    output=np.float64,
                    mode="nearest",
                )
                for component in range(self.ndim)
            ],
            axis=-1,
        )
