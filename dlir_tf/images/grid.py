"""Grid: where voxels lie in the world, without the voxels."""

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dlir_tf.errors import InputError

PLANE = np.ix_([0, 1, 3], [0, 1, 3])  # a 4x4 matrix without its third axis
# A voxel reaches half its size beyond its centre, as in ITK. So much more, in voxels,
# forgives what the inverse of a matrix and displacements in float32 round.
MARGIN = 1e-6
# Of the box that unit vectors along the axes span; 1 if they are perpendicular.
SMALLEST_VOLUME = 1e-6
LARGEST_SHEAR = 1e-4  # ITK reads no image whose axes are less perpendicular


@dataclass(frozen=True, eq=False)
class Grid:
    """Where voxels lie in the world: a shape and a voxel-to-world matrix.

    Attributes:
        shape: Voxels along each of 2 or 3 axes, at least one.
        affine: Voxel-to-world matrix `(ndim + 1, ndim + 1)`, RAS+ mm; read-only.

    Raises:
        InputError: If the affine isn't finite, or can't be inverted.
        ValueError: If shape and affine don't fit together.

    Example:

    >>> grid = Grid((5, 4), np.diag([2.0, 3.0, 1.0]))
    >>> grid.to_world([4.0, 3.0])
    array([8., 9.])
    >>> grid.contains([[8.9, 9.0], [9.1, 9.0]])
    array([ True, False])
    """

    shape: tuple[int, ...]
    affine: np.ndarray

    def __post_init__(self) -> None:
        """Checks the grid, and keeps a matrix that nobody can change."""
        affine = np.array(self.affine, np.float64)
        shape = tuple(int(size) for size in self.shape)
        size = len(shape) + 1
        if size not in (3, 4) or affine.shape != (size, size) or min(shape) < 1:
            raise ValueError(
                "Grid: expected a 2-d shape with a 3x3 affine or a 3-d one with a 4x4 "
                "affine, and at least one voxel along each axis. "
                f"Received: {shape} and {affine.shape}"
            )
        if not is_invertible(affine):
            raise InputError(
                "Grid: the affine must be finite and invertible, with 0 ... 0 1 in "
                f"its last row. Received: {affine.tolist()}"
            )
        affine[-1] = np.eye(size)[-1]
        affine.setflags(write=False)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "affine", affine)

    @property
    def ndim(self) -> int:
        """Number of axes, 2 or 3."""
        return len(self.shape)

    @cached_property
    def spacing(self) -> tuple[float, ...]:
        """Distance between neighbouring voxels along each axis, in mm."""
        return tuple(float(norm) for norm in column_norms(self.affine))

    @cached_property
    def directions(self) -> np.ndarray:
        """Unit vectors along the axes as columns, `(ndim, ndim)`, RAS+."""
        return np.asarray(self.affine[:-1, :-1] / np.asarray(self.spacing))

    @cached_property
    def inverse(self) -> np.ndarray:
        """World-to-voxel matrix `(ndim + 1, ndim + 1)`."""
        return np.linalg.inv(self.affine)

    @property
    def centre(self) -> np.ndarray:
        """The middle of the grid, `(ndim,)`, world mm, RAS+."""
        middle = (np.asarray(self.shape) - 1) / 2
        return np.asarray(self.affine[:-1, :-1] @ middle + self.affine[:-1, -1])

    @property
    def extent(self) -> np.ndarray:
        """How far all voxels reach along each axis, `(ndim,)`, mm."""
        return np.asarray(self.shape) * self.spacing

    @property
    def is_sheared(self) -> bool:
        """Whether the axes aren't perpendicular."""
        return is_sheared(self.affine)

    @property
    def is_flat(self) -> bool:
        """Whether it's 3-d, but one slice in the world's own first plane."""
        return self.shape[2:] == (1,) and is_upright(self.affine)

    def to_world(self, voxels: np.ndarray) -> np.ndarray:
        """Maps voxel coordinates `(..., ndim)` to world points, mm, RAS+."""
        return apply_affine(self.affine, voxels)

    def to_voxels(self, points: np.ndarray) -> np.ndarray:
        """Maps world points `(..., ndim)`, mm, RAS+, to voxel coordinates."""
        return apply_affine(self.inverse, points)

    @property
    def corners(self) -> np.ndarray:
        """The centres of the outermost voxels, `(2**ndim, ndim)`, world mm, RAS+."""
        return self.to_world(corner_voxels(self.shape))

    def points(self) -> np.ndarray:
        """Every voxel's centre, `(*shape, ndim)`, world mm, RAS+."""
        steps = np.ogrid[tuple(slice(size) for size in self.shape)]
        points = np.empty((*self.shape, self.ndim))
        for component, row in enumerate(self.affine[:-1]):
            first, *others = [
                step * number for step, number in zip(row[:-1], steps, strict=True)
            ]
            points[..., component] = sum(others, start=first + row[-1])
        return points

    def contains(self, points: np.ndarray) -> np.ndarray:
        """Which world points lie in a voxel, half a voxel around centres included.

        Args:
            points: `(..., ndim)`, mm, RAS+.

        Returns:
            `(...)`, bool.
        """
        return self.contains_voxels(np.moveaxis(self.to_voxels(points), -1, 0))

    def contains_voxels(self, voxels: np.ndarray) -> np.ndarray:
        """The same for voxel coordinates, axes first: `(ndim, ...)`."""
        inside = np.ones(voxels.shape[1:], bool)
        for size, along in zip(self.shape, voxels, strict=True):
            inside &= is_within(size, along)
        return inside

    def rows(self, start: int, stop: int) -> "Grid":
        """The part with these indices along the first axis."""
        affine = self.affine.copy()
        affine[:-1, -1] += start * affine[:-1, 0]
        return Grid((min(stop, self.shape[0]) - start, *self.shape[1:]), affine)

    def mapped(self, matrix: np.ndarray) -> "Grid":
        """The same voxels after an affine map of the world.

        Args:
            matrix: World-to-world matrix `(ndim + 1, ndim + 1)`, RAS+ mm.
        """
        return Grid(self.shape, matrix @ self.affine)

    def plane(self, axis: int = 2) -> "Grid":
        """The 2-d grid of a 3-d one's other axes, in the world's first two.

        It says all that counts where `is_flat`, or of what is parallel to it.

        Args:
            axis: Which axis is left out.
        """
        shape = self.shape[:axis] + self.shape[axis + 1 :]
        return Grid(shape, np.delete(self.affine, axis, axis=1)[[0, 1, 3]])

    def distance_to(self, other: "Grid") -> float:
        """How far in the world, in mm, the corners of two grids lie apart at most.

        Args:
            other: A grid of the same shape.
        """
        apart = self.corners - other.corners
        return float(np.linalg.norm(apart, axis=1).max())

    def same_as(self, other: "Grid") -> bool:
        """Whether another grid has this shape and lies within half a voxel of it."""
        near = 0.5 * min(other.spacing)
        return self.shape == other.shape and self.distance_to(other) <= near


def corner_voxels(shape: tuple[int, ...]) -> np.ndarray:
    """The outermost voxels of a grid of this shape, `(2**ndim, ndim)`, coordinates."""
    return np.array(list(itertools.product(*((0, size - 1) for size in shape))))


def is_within(size: int, positions: np.ndarray) -> np.ndarray:
    """Which positions lie in a voxel of an axis, half a voxel included, bool.

    Args:
        size: Voxels along the axis.
        positions: Voxel coordinates along it, of any shape.
    """
    low, high = -0.5 - MARGIN, size - 0.5 + MARGIN
    return np.asarray((positions >= low) & (positions <= high))


def is_invertible(affine: np.ndarray, smallest_volume: float = SMALLEST_VOLUME) -> bool:
    """Whether an affine is finite and its axes point in different directions.

    Args:
        affine: `(ndim + 1, ndim + 1)`.
        smallest_volume: Of the box that unit vectors along the axes must span.
    """
    norms = column_norms(affine)
    off = np.abs(affine[-1] - np.eye(len(affine))[-1]).max()
    if not np.isfinite(affine).all() or off > 1e-9:
        return False
    return bool(norms.min() > 0) and (
        abs(np.linalg.det(affine[:-1, :-1] / norms)) > smallest_volume
    )


def is_sheared(affine: np.ndarray) -> bool:
    """Whether axes aren't perpendicular, by more than ITK lets pass."""
    axes = affine[:-1, :-1] / column_norms(affine)
    return not np.allclose(axes.T @ axes, np.eye(len(axes)), atol=LARGEST_SHEAR)


def in_space(matrix: np.ndarray) -> np.ndarray:
    """A 3x3 matrix of the first plane as a 4x4 one that leaves the third axis alone."""
    wide = np.eye(4)
    wide[PLANE] = matrix
    return wide


def is_upright(matrix: np.ndarray) -> bool:
    """Whether the first two axes of a 4x4 matrix span the world's own first plane."""
    mixed = np.array([matrix[2, 0], matrix[2, 1], matrix[0, 2], matrix[1, 2]])
    return bool(np.all(np.abs(mixed) <= 1e-4 * np.abs(matrix[:3, :3]).max()))


def column_norms(affine: np.ndarray) -> np.ndarray:
    """Lengths of an affine's columns: the voxel size along each axis."""
    return np.asarray(np.linalg.norm(affine[:-1, :-1], axis=0))


def apply_affine(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Maps points `(..., ndim)` by a matrix `(ndim + 1, ndim + 1)`."""
    # Not by BLAS, whose threads wait for each other longer than such a product takes.
    return np.einsum("...j,ij->...i", points, affine[:-1, :-1]) + affine[:-1, -1]
