"""Transform: the result of a registration, in world mm."""

from dataclasses import dataclass

import numpy as np

from dlir_tf.images import Image
from dlir_tf.resampling import apply_affine, grid_points, resample_displaced, slabs
from dlir_tf.splines import Spline
from dlir_tf.working_grid import WorkingGrid


@dataclass(frozen=True, eq=False)
class Transform:
    """A spatial transform that pulls back: it maps fixed points to moving points.

    A point goes through the last stage's spline first and the affine last; then
    through the initial alignment into the moving image's world. Kept as
    parameters, a few kilobytes, and evaluated analytically.

    Attributes:
        grid: The working grid, on whose voxels matrix and splines are defined.
        initial: World-to-world matrix of the initial alignment,
            `(ndim + 1, ndim + 1)`.
        matrix: Voxel-to-voxel matrix of the affine stages, `(ndim, ndim + 1)`.
        splines: The deformable stages, coarse to fine.
    """

    grid: WorkingGrid
    initial: np.ndarray
    matrix: np.ndarray
    splines: tuple[Spline, ...]

    @property
    def ndim(self) -> int:
        """2 or 3."""
        return len(self.grid.shape)

    def map_points(self, points: np.ndarray) -> np.ndarray:
        """Maps points of the fixed image to the points that belong there.

        Args:
            points: `(num_points, ndim)`, world mm, RAS+.

        Returns:
            Points of the moving image, `(num_points, ndim)`, world mm, RAS+.

        Raises:
            ValueError: If the points have another shape.
        """
        points = np.asarray(points, np.float64)
        if points.ndim != 2 or points.shape[1] != self.ndim:
            raise ValueError(
                f"points: expected shape (num_points, {self.ndim}). "
                f"Received: {points.shape}"
            )
        voxels = apply_affine(np.linalg.inv(self.grid.affine), points)
        return self._to_moving_world(_deform(voxels, self.splines))

    def displacement(self, reference: Image) -> np.ndarray:
        """Returns the displacement field on an image's grid.

        Args:
            reference: Only its grid counts.

        Returns:
            `(*reference.shape, ndim)`, float32, mm along the world axes (RAS+):
            moving point minus fixed point.
        """
        self._check_rank("reference", reference)
        field = np.empty((*reference.shape, self.ndim), np.float32)
        for slab, affine in slabs(reference):
            shape = field[slab].shape[:-1]
            field[slab] = self._map_grid(affine, shape) - grid_points(affine, shape)
        return field

    def resample(
        self,
        moving: Image,
        reference: Image,
        *,
        displacement: np.ndarray | None = None,
        interpolation: str = "linear",
        fill_value: float = 0.0,
    ) -> Image:
        """Resamples the moving image on a grid in the fixed world, in one step.

        As in ITK, a voxel reaches half a voxel beyond its centre: up to there the
        outermost values are continued, and beyond is outside.

        Args:
            moving: The image to be moved.
            reference: The grid of the result, most often the fixed image.
            displacement: What `displacement(reference)` returned, if it's at hand;
                saves computing it again.
            interpolation: `"linear"`, or `"nearest"` for labels.
            fill_value: Given to voxels that come from outside the moving image.

        Returns:
            An image with the reference's grid and header and the moving dtype;
            integers are rounded and clipped to their range.

        Raises:
            ValueError: If the interpolation is unknown or ranks don't fit.
        """
        self._check_rank("moving", moving)
        if displacement is None:
            displacement = self.displacement(reference)
        return resample_displaced(
            moving,
            reference,
            displacement,
            interpolation=interpolation,
            fill_value=fill_value,
        )

    def _map_grid(self, affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
        """Moving-world points for every voxel of a grid, `(*shape, ndim)`."""
        to_working = np.linalg.inv(self.grid.affine) @ affine
        linear = to_working[:-1, :-1]
        voxels = grid_points(to_working, shape)
        splines = self.splines
        # Which axis of the grid each working axis runs along, if it does so.
        axes = np.argmax(np.abs(linear), axis=1)
        steps = linear[np.arange(self.ndim), axes]
        aligned = np.zeros_like(linear)
        aligned[np.arange(self.ndim), axes] = steps
        if splines and np.abs(linear - aligned).max() * max(shape) < 1e-4:
            # The first spline that a point meets is evaluated along the axes.
            positions = [
                np.arange(shape[axis]) * step + offset
                for axis, step, offset in zip(
                    axes, steps, to_working[:-1, -1], strict=True
                )
            ]
            field = splines[-1].on_grid(positions)
            voxels += np.moveaxis(field, range(self.ndim), axes)
            splines = splines[:-1]
        points = voxels.reshape(-1, self.ndim)
        return self._to_moving_world(_deform(points, splines)).reshape(voxels.shape)

    def _to_moving_world(self, voxels: np.ndarray) -> np.ndarray:
        affine = np.eye(self.ndim + 1)
        affine[:-1] = self.matrix
        whole = self.initial @ self.grid.affine @ affine
        return apply_affine(whole, voxels)

    def _check_rank(self, name: str, image: Image) -> None:
        if image.ndim != self.ndim:
            raise ValueError(
                f"{name}: expected a {self.ndim}-d image, like the transform. "
                f"Received shape: {image.shape}"
            )


def _deform(voxels: np.ndarray, splines: tuple[Spline, ...]) -> np.ndarray:
    for spline in reversed(splines):
        voxels = voxels + spline.at_points(voxels)
    return voxels
