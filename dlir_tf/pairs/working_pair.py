"""A pair on its working grid, as the model takes it, and the way back to the world."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from dlir_tf.images import Grid, Image
from dlir_tf.pairs.placement import to_working_grid
from dlir_tf.pairs.slices import SlicePlane
from dlir_tf.transforms import Affine, BSpline, Component, Transform
from dlir_tf.transforms.bspline import stage_bspline

# Control points `(*lattice_shape, ndim)` in working voxels, and how many of these lie
# between neighbouring ones, per axis.
Spline = tuple[np.ndarray, tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class WorkingPair:
    """A pair on its working grid.

    Attributes:
        fixed: Intensities in [0, 1], float32, `grid.shape`.
        moving: The same, resampled through the initial alignment.
        mask: Where both images have voxels that aren't padding of the fixed one, bool.
        grid: The working grid.
        initial: The initial alignment, from fixed to moving points, mm; most often a
            matrix alone.
        fixed_mask: Which fixed voxels count, bool; `None` for all.
        moving_mask: Which moving voxels count and aren't padding, bool, through the
            initial alignment; `None` for all.
        plane: Where the pair was laid out, if it's two slices for a 2-d model; grid
            and initial alignment are in coordinates of this plane then.
    """

    fixed: np.ndarray
    moving: np.ndarray
    mask: np.ndarray
    grid: Grid
    initial: Transform
    fixed_mask: np.ndarray | None = None
    moving_mask: np.ndarray | None = None
    plane: SlicePlane | None = None

    def to_world(
        self,
        matrix: np.ndarray,
        splines: Iterable[Spline] = (),
        kind: type[BSpline] = BSpline,
    ) -> Transform:
        """Takes a transform of working voxels to the world of the pair's images.

        Args:
            matrix: `(ndim, ndim + 1)`, which a point goes through after the splines.
            splines: In the order in which a point goes through them.
            kind: The class of the splines in the world.

        Returns:
            From points of the fixed image to points of the moving one; the initial
            alignment comes last. It's 3-d for slices.
        """
        grid, whole = self.grid.affine, np.vstack([matrix, np.eye(len(matrix) + 1)[-1]])
        components: list[Component] = [
            stage_bspline(points, spacing, grid, kind) for points, spacing in splines
        ]
        # What moves nothing is left out, so that files hold no empty words; and an
        # identity taken to the world and back would no longer be exactly one.
        identity = np.eye(len(whole))
        still = self.initial.is_affine and np.array_equal(
            self.initial.affine_part, identity
        )
        if not np.array_equal(whole, identity):
            in_world = grid @ whole @ np.linalg.inv(grid)
            in_world[-1] = identity[-1]
            components.append(Affine(in_world))
        if not (still and components):
            components.extend(self.initial.components)
        transform = Transform(tuple(components))
        return transform if self.plane is None else self.plane.to_world(transform)

    def from_world(self, world: np.ndarray) -> np.ndarray:
        """Takes a matrix from the world to working voxels; undoes `to_world`.

        Args:
            world: `(ndim + 1, ndim + 1)`, from points of the fixed image to points of
                the moving one, by the initial alignment at last; for slices, in
                coordinates of their plane.

        Returns:
            `(ndim, ndim + 1)`.

        Raises:
            ValueError: If the initial alignment isn't affine.
        """
        if not self.initial.is_affine:
            raise ValueError("from_world: the initial alignment must be affine")
        grid, initial = self.grid.affine, self.initial.affine_part
        return np.asarray(np.linalg.inv(initial @ grid) @ world @ grid)[:-1]

    def without_initial(self) -> "WorkingPair":
        """The same pair, as if the moving image had lain there in the first place.

        Its `to_world` gives what was found beyond the initial alignment.
        """
        identity = Transform((Affine(np.eye(self.grid.ndim + 1)),))
        plane = self.plane
        if plane is not None:  # the alignment takes points to the moving plane already
            plane = replace(plane, rise=np.eye(4))
        return replace(self, initial=identity, plane=plane)

    @property
    def alignment(self) -> Transform:
        """The initial alignment in the world of the pair's images."""
        return self.to_world(np.eye(self.grid.ndim, self.grid.ndim + 1))

    def labels_on_grid(
        self, labels: tuple[Image, Image]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Brings labels to where the working images show them, nearest neighbour.

        Args:
            labels: On the grids of the fixed and the moving image.

        Returns:
            Both on the working grid, in their dtypes, 0 outside.
        """
        fixed, moving = (
            labels if self.plane is None else map(self.plane.flatten, labels)
        )
        return (
            to_working_grid(fixed, self.grid),
            to_working_grid(moving, self.grid, self.initial),
        )

    def points_in_voxels(
        self, points: tuple[np.ndarray, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Brings landmarks to where the working images show them.

        Args:
            points: Of the fixed and of the moving image, `(num_points, ndim)`, RAS+ mm.

        Returns:
            `(num_points, ndim)` in voxels of the working grid, for both.
        """
        if self.plane is not None:
            flatten = self.plane.flatten_points
            points = flatten(points[0]), flatten(points[1])
        aligned = self.initial.inverse().map_points(points[1])
        return self.grid.to_voxels(points[0]), self.grid.to_voxels(aligned)
