"""DenseField: a deformation given by its displacement at every voxel of a grid."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from dlir_tf.images.grid import Grid
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
        InputError: If the affine can't be inverted.
        ValueError: If shapes don't fit.
    """

    displacement: np.ndarray
    affine: np.ndarray

    def __post_init__(self) -> None:
        """Checks that field and grid belong together."""
        if self.displacement.shape[-1:] != (self.ndim,):
            raise ValueError(
                "DenseField: expected a displacement (i, j, 2) or (i, j, k, 3). "
                f"Received: {self.displacement.shape}"
            )
        object.__setattr__(self, "affine", self.grid.affine)

    @property
    def ndim(self) -> int:
        """2 or 3."""
        return self.displacement.ndim - 1

    @cached_property
    def grid(self) -> Grid:
        """Where the displacements are given."""
        return Grid(self.displacement.shape[:-1], self.affine)

    def map_points(self, points: np.ndarray) -> np.ndarray:
        """Maps points `(num_points, ndim)`, world mm."""
        voxels = self.grid.to_voxels(points)
        inside = self.grid.contains_voxels(voxels.T)
        return points + np.where(inside[:, None], self._interpolate(voxels), 0.0)

    def jacobian(self, points: np.ndarray) -> np.ndarray:
        """Derivatives at points `(num_points, ndim)`: differences over one voxel."""
        voxels = self.grid.to_voxels(points)
        per_voxel = np.zeros((len(points), self.ndim, self.ndim))
        for axis, last in enumerate(np.asarray(self.grid.shape) - 1.0):
            low, high = voxels.copy(), voxels.copy()
            low[:, axis] = np.clip(voxels[:, axis] - 0.5, 0, max(last - 0.5, 0))
            high[:, axis] = np.clip(voxels[:, axis] + 0.5, min(0.5, last), last)
            width = np.maximum(high[:, axis] - low[:, axis], 1e-9)[:, None]
            difference = self._interpolate(high) - self._interpolate(low)
            per_voxel[:, :, axis] = difference / width
        per_voxel[~self.grid.contains_voxels(voxels.T)] = 0.0
        return np.eye(self.ndim) + per_voxel @ self.grid.inverse[:-1, :-1]

    def covers(self, points: np.ndarray) -> np.ndarray:
        """Which points lie within the grid, half a voxel around it included."""
        return self.grid.contains(points)

    def inverse(self) -> Inverse:
        """The map back, solved for point by point."""
        return Inverse(self)

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
