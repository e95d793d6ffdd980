"""Cubic B-splines on the lattice of a working grid, evaluated anywhere."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.interpolate import BSpline, NdBSpline


@dataclass(frozen=True, eq=False)
class Spline:
    """A cubic B-spline displacement on the lattice of the working grid.

    Beyond half a spacing outside the grid, where a control point is missing, the
    displacement is zero, as ITK has it.

    Attributes:
        control_points: `(*lattice_shape, ndim)`, in working voxels.
        spacing: Working voxels between neighbouring control points, per axis.
    """

    control_points: np.ndarray
    spacing: tuple[int, ...]

    def at_points(self, voxels: np.ndarray) -> np.ndarray:
        """Evaluates the spline at `(num_points, ndim)` working voxel coordinates."""
        knots = tuple(_knots(size) for size in self.control_points.shape[:-1])
        spline = NdBSpline(knots, self.control_points, 3, extrapolate=False)
        lattice = (voxels + 0.5) / self.spacing + 1.5
        return np.nan_to_num(spline(lattice), copy=False)

    def on_grid(self, axes: list[np.ndarray]) -> np.ndarray:
        """Evaluates the spline on the grid of all combinations of coordinates.

        Args:
            axes: Working voxel coordinates along each axis.

        Returns:
            `(*lengths, ndim)`; one sparse matrix product per axis.
        """
        field = self.control_points
        for axis, positions in enumerate(axes):
            size = field.shape[axis]
            basis = BSpline(_knots(size), np.eye(size), 3, extrapolate=False)
            weights = np.nan_to_num(basis((positions + 0.5) / self.spacing[axis] + 1.5))
            # Sparse: four weights in every row.
            front = np.moveaxis(field, axis, 0)
            rows = sparse.csr_array(weights) @ front.reshape(size, -1)
            field = np.moveaxis(rows.reshape(-1, *front.shape[1:]), 0, axis)
        return field


def _knots(num_control_points: int) -> np.ndarray:
    """Uniform knots; control point `m` has its peak at lattice coordinate `m`."""
    return np.arange(num_control_points + 4) - 2.0
