"""BSpline: a cubic B-spline deformation in world coordinates."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dlir_tf.images.grid import Grid
from dlir_tf.splines.cubic import evaluate, evaluate_on_grid, inside_lattice
from dlir_tf.splines.lattice import lattice_origin
from dlir_tf.transforms.inverse import Inverse


@dataclass(frozen=True, eq=False)
class BSpline:
    """A cubic B-spline deformation: `x -> x + u(x)`.

    Reference:

    - Rueckert et al. (1999), "Nonrigid registration using free-form deformations",
      IEEE TMI 18(8). https://doi.org/10.1109/42.796284

    Attributes:
        control_points: `(*lattice_shape, ndim)`, displacements in mm along the world
            axes (RAS+); at least 4 along each axis.
        lattice: Matrix `(ndim + 1, ndim + 1)` from a control point's index to its
            place in the world, RAS+ mm.

    Raises:
        InputError: If the lattice can't be inverted.
        ValueError: If shapes don't fit or numbers aren't finite.
    """

    control_points: np.ndarray
    lattice: np.ndarray

    def __post_init__(self) -> None:
        """Checks that control points and lattice belong together."""
        points = np.ascontiguousarray(self.control_points, np.float64)
        lattice = np.array(self.lattice, np.float64)
        object.__setattr__(self, "control_points", points)
        ndim = points.ndim - 1
        if (
            ndim not in (2, 3)
            or points.shape[-1] != ndim
            or min(points.shape[:-1]) < 4
            or lattice.shape != (ndim + 1, ndim + 1)
        ):
            raise ValueError(
                "BSpline: expected control_points (i, j, 2) with a 3x3 lattice or "
                "(i, j, k, 3) with a 4x4 one, and at least 4 of them along each axis. "
                f"Received: {points.shape} and {lattice.shape}"
            )
        if not (np.isfinite(points).all() and np.isfinite(lattice).all()):
            raise ValueError(
                "BSpline: expected finite control points and a finite lattice, but "
                "there are NaN or infinite numbers; a model that gives them diverged "
                "in training, a file that holds them is damaged: make either anew"
            )
        object.__setattr__(self, "lattice", self.grid.affine)

    @property
    def ndim(self) -> int:
        """2 or 3."""
        return self.control_points.ndim - 1

    @cached_property
    def grid(self) -> Grid:
        """Where the control points lie."""
        return Grid(self.control_points.shape[:-1], self.lattice)

    def map_points(self, points: np.ndarray) -> np.ndarray:
        """Maps points `(num_points, ndim)`, world mm."""
        (displacement,) = evaluate(self.control_points, self.grid.to_voxels(points))
        return points + displacement

    def displacement_on_grid(self, grid: Grid) -> np.ndarray | None:
        """Evaluates the spline on a grid that runs along the lattice, fast.

        Args:
            grid: Where the displacements are wanted.

        Returns:
            The displacements, `(*grid.shape, ndim)`, or `None` if the grid doesn't run
            along the lattice's axes.
        """
        to_lattice = self.grid.inverse @ grid.affine
        linear = to_lattice[:-1, :-1]
        # Which axis of the grid each axis of the lattice runs along, if it does so.
        axes = np.argmax(np.abs(linear), axis=1)
        rows = np.arange(self.ndim)
        aligned = np.zeros_like(linear)
        aligned[rows, axes] = linear[rows, axes]
        stray = np.abs(linear - aligned).max() * max(grid.shape)
        if len(set(axes.tolist())) < self.ndim or stray > 1e-5:
            return None
        positions = [
            np.arange(grid.shape[axis]) * linear[row, axis] + to_lattice[row, -1]
            for row, axis in enumerate(axes)
        ]
        field = evaluate_on_grid(self.control_points, positions)
        return np.moveaxis(field, range(self.ndim), axes)

    def jacobian(self, points: np.ndarray) -> np.ndarray:
        """Derivatives at points `(num_points, ndim)`, exact."""
        slopes = evaluate(
            self.control_points,
            self.grid.to_voxels(points),
            derivatives=range(self.ndim),
        )
        per_step = np.stack(slopes, axis=-1)
        return np.eye(self.ndim) + per_step @ self.grid.inverse[:-1, :-1]

    def covers(self, points: np.ndarray) -> np.ndarray:
        """Which points lie where the lattice defines the spline, bool."""
        return inside_lattice(self.grid.shape, self.grid.to_voxels(points))

    def inverse(self) -> Inverse:
        """The map back, solved for point by point."""
        return Inverse(self)


def stage_bspline(
    control_points: np.ndarray,
    spacing: tuple[int, ...],
    grid_affine: np.ndarray,
    kind: type[BSpline] = BSpline,
) -> BSpline:
    """Takes a deformable stage's output to the world.

    Args:
        control_points: `(*lattice_shape, ndim)`, in voxels of the working grid.
        spacing: Working voxels between neighbouring control points, per axis.
        grid_affine: Voxel-to-world matrix of the working grid.
        kind: The class of the result.
    """
    step = np.asarray(spacing, np.float64)
    to_voxels = np.diag([*step, 1.0])
    to_voxels[:-1, -1] = lattice_origin(step)
    return kind(control_points @ grid_affine[:-1, :-1].T, grid_affine @ to_voxels)
