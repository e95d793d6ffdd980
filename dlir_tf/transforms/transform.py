"""Transform: the result of a registration, in world mm."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlir_tf.images import Grid, Image, grid_of
from dlir_tf.transforms.affine import Affine
from dlir_tf.transforms.bspline import BSpline
from dlir_tf.transforms.component import Component
from dlir_tf.transforms.resampling import resample_at
from dlir_tf.transforms.slabs import displaced_voxels, each_slab


@dataclass(frozen=True, eq=False)
class Transform:
    """A spatial transform that pulls back: it maps fixed points to moving points.

    A point goes through the components from the first to the last: after a
    registration, through the last stage's spline first, then the affine, then the
    initial alignment into the moving image's world. Kept as parameters, a few
    kilobytes, and evaluated analytically.

    Attributes:
        components: At least one `Affine`, `BSpline`, `DenseField` or `Inverse`, all
            of the same rank.

    Raises:
        ValueError: If there are none, or their ranks differ.

    Example: what a transform does to points, its inverse undoes.

    >>> shift = Transform((Affine([[1, 0, 5], [0, 1, -2], [0, 0, 1]]),))
    >>> shift.map_points([[10.0, 10.0]])
    array([[15.,  8.]])
    >>> shift.inverse().map_points([[15.0, 8.0]])
    array([[10., 10.]])
    """

    components: tuple[Component, ...]

    def __post_init__(self) -> None:
        """Checks that the components fit together."""
        object.__setattr__(self, "components", tuple(self.components))
        ranks = {component.ndim for component in self.components}
        if len(ranks) != 1:
            raise ValueError(
                "Transform: expected at least one component, all of the same rank. "
                f"Received ranks: {sorted(ranks)}"
            )

    @property
    def ndim(self) -> int:
        """2 or 3."""
        return self.components[0].ndim

    @property
    def is_affine(self) -> bool:
        """Whether a matrix says all, `affine_part`: it's made of affine maps alone."""
        return all(isinstance(component, Affine) for component in self.components)

    @property
    def affine_part(self) -> np.ndarray:
        """All affine components as one matrix `(ndim + 1, ndim + 1)`, world to world.

        It is the whole transform if there are no others.
        """
        total = np.eye(self.ndim + 1)
        for component in self.components:
            if isinstance(component, Affine):
                total = component.matrix @ total
        return total

    def map_points(self, points: np.ndarray) -> np.ndarray:
        """Maps points of the fixed image to the points that belong there.

        Args:
            points: `(num_points, ndim)`, world mm, RAS+.

        Returns:
            Points of the moving image, `(num_points, ndim)`, world mm, RAS+.

        Raises:
            ValueError: If the points have another shape.
        """
        points = self._check_points(points)
        for component in self.components:
            points = component.map_points(points)
        return points

    def covers(self, points: np.ndarray) -> np.ndarray:
        """Tells which points the transform was made for.

        Others are mapped, too, but there its deformations are zero.

        Args:
            points: `(num_points, ndim)`, world mm, RAS+.

        Returns:
            `(num_points,)`, bool.
        """
        points = self._check_points(points)
        covered = np.ones(len(points), bool)
        for component in self.components:
            covered &= component.covers(points)
            points = component.map_points(points)
        return covered

    def compose(self, inner: "Transform") -> "Transform":
        """Returns `x -> self(inner(x))`, exact."""
        return Transform((*inner.components, *self.components))

    def inverse(self) -> "Transform":
        """Returns the transform that maps moving points to fixed points.

        Affine components are inverted exactly; deformations are solved for, point by
        point, to 1e-5 mm, where they can be: see `inverse_residual`.
        """
        return Transform(tuple(c.inverse() for c in reversed(self.components)))

    def inverse_residual(self, points: np.ndarray) -> np.ndarray:
        """Measures how well the inverse does, instead of promising it.

        Args:
            points: `(num_points, ndim)`, points of the moving image, RAS+ mm.

        Returns:
            `(num_points,)`: how far, in mm, a point is from where it started after
            the inverse and then the transform.
        """
        points = self._check_points(points)
        back = self.map_points(self.inverse().map_points(points))
        return np.asarray(np.linalg.norm(back - points, axis=-1))

    def jacobian(self, points: np.ndarray) -> np.ndarray:
        """Derivatives with respect to the world axes, by the chain rule.

        Args:
            points: `(num_points, ndim)`, world mm, RAS+.

        Returns:
            `(num_points, ndim, ndim)`: the moving point's components along the
            second axis, what they are differentiated by along the last.
        """
        points = self._check_points(points)
        total = np.eye(self.ndim)
        for component in self.components:
            total = component.jacobian(points) @ total
            points = component.map_points(points)
        return total

    def jacobian_determinant(self, reference: Grid | Image) -> np.ndarray:
        """Local change of volume: 1 for none, at most 0 where the transform folds.

        Args:
            reference: A grid in the fixed world, or an image that has one.

        Returns:
            `reference.shape`, float32.
        """
        grid = self._fitting("reference", reference)
        result = np.empty(grid.shape, np.float32)

        def fill(rows: slice, slab: Grid) -> None:
            points = slab.points().reshape(-1, self.ndim)
            result[rows] = np.linalg.det(self.jacobian(points)).reshape(slab.shape)

        each_slab(grid, fill)
        return result

    def displacement(self, reference: Grid | Image) -> np.ndarray:
        """Returns the displacement field on a grid.

        Args:
            reference: A grid in the fixed world, or an image that has one.

        Returns:
            `(*reference.shape, ndim)`, float32, mm along the world axes (RAS+):
            moving point minus fixed point.
        """
        grid = self._fitting("reference", reference)
        field = np.empty((*grid.shape, self.ndim), np.float32)

        def fill(rows: slice, slab: Grid) -> None:
            points = slab.points()
            np.subtract(self._map_slab(slab, points), points, out=field[rows])

        each_slab(grid, fill)
        return field

    def resample(
        self,
        moving: Image,
        reference: Grid | Image,
        *,
        displacement: np.ndarray | None = None,
        interpolation: str = "linear",
        fill_value: float = 0.0,
        channel_fill: Sequence[float] | None = None,
    ) -> Image:
        """Resamples the moving image on a grid in the fixed world, in one step.

        The grid is gone through in slabs, so that beside the two images little
        memory is needed.

        As in ITK, a voxel reaches half a voxel beyond its centre: up to there the
        outermost values are continued, and beyond is outside.

        Args:
            moving: The image to be moved.
            reference: The grid of the result: most often the fixed image, whose
                header the result then gets.
            displacement: What `displacement(reference)` returned, if it's at hand;
                saves computing it again.
            interpolation: `"linear"`, `"cubic"`, `"nearest"` for labels, or `"label"`
                for labels with smooth borders.
            fill_value: Given to voxels that come from outside the moving image.
            channel_fill: Likewise to its channels, if it has any; by default the same.

        Returns:
            An image on the reference's grid, of the moving dtype and with its channels,
            if there are any, and of labels with their segments and meaning; integers
            are rounded and clipped to their range.

        Raises:
            ValueError: If the interpolation is unknown or shapes don't fit.
        """
        self._fitting("moving", moving)
        grid = self._fitting("reference", reference)
        expected = (*grid.shape, self.ndim)
        if displacement is not None and displacement.shape != expected:
            raise ValueError(
                f"displacement: expected shape {expected}. "
                f"Received: {displacement.shape}"
            )
        to_voxels = moving.grid.inverse

        def voxels(rows: slice, slab: Grid) -> np.ndarray:
            if displacement is not None:
                return displaced_voxels(slab, displacement[rows], to_voxels)
            points = self._map_slab(slab, slab.points())
            return np.stack([points @ row[:-1] + row[-1] for row in to_voxels[:-1]])

        array, channels = resample_at(
            moving,
            grid,
            voxels,
            interpolation=interpolation,
            fill_value=fill_value,
            channel_fill=channel_fill,
        )
        header = reference.header if isinstance(reference, Image) else None
        as_labels = interpolation in ("nearest", "label")
        kept = (moving.segments, moving.meaning) if as_labels else ({}, None)
        return Image(array, grid.affine, header, channels, *kept)

    def _map_slab(self, slab: Grid, points: np.ndarray) -> np.ndarray:
        """Moving-world points for every voxel of a slab, `(*shape, ndim)`.

        Args:
            slab: A part of a grid.
            points: Its points, which are not changed.
        """
        num_done = 0
        for component in self.components:
            if not isinstance(component, Affine):
                break
            slab, num_done = slab.mapped(component.matrix), num_done + 1
        if num_done:
            points = slab.points()
        first, *_ = *self.components[num_done:], None
        if isinstance(first, BSpline):
            # The first spline that a point meets is evaluated along the axes.
            field = first.displacement_on_grid(slab)
            if field is not None:
                points, num_done = points + field, num_done + 1
        flat = points.reshape(-1, self.ndim)
        for component in self.components[num_done:]:
            flat = component.map_points(flat)
        return flat.reshape(points.shape)

    def _check_points(self, points: np.ndarray) -> np.ndarray:
        points = np.asarray(points, np.float64)
        if points.ndim != 2 or points.shape[1] != self.ndim:
            raise ValueError(
                f"points: expected shape (num_points, {self.ndim}). "
                f"Received: {points.shape}"
            )
        return points

    def _fitting(self, name: str, reference: Grid | Image) -> Grid:
        """The grid that was given, of the transform's rank."""
        grid = grid_of(reference)
        if grid.ndim != self.ndim:
            raise ValueError(
                f"{name}: expected a {self.ndim}-d image, like the transform. "
                f"Received shape: {grid.shape}"
            )
        return grid
