"""Where the voxels of a working grid lie in an image, through a transform."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from dlir_tf.images import Grid, Image
from dlir_tf.pairs.on_grid import smoothed_for, to_grid, voxels_inside
from dlir_tf.transforms import Transform
from dlir_tf.transforms.slabs import displaced_voxels, each_slab

# Along each axis, so many voxels at most have a say in which matrix is the closest.
_MOST_PER_AXIS = 12


@dataclass(frozen=True, eq=False)
class Placement:
    """Where the voxels of a grid lie in an image.

    Attributes:
        image: The image's own grid.
        shape: Of the grid whose voxels they are.
        matrix: From these voxels to the image's, `(ndim + 1, ndim + 1)`; the closest
            matrix, where none says all.
        places: In voxels of the image, `(ndim, *shape)`; `None` where the matrix says
            all.
    """

    image: Grid
    shape: tuple[int, ...]
    matrix: np.ndarray
    places: np.ndarray | None = None

    @classmethod
    def of(
        cls, grid: Grid, image: Grid, transform: Transform | None = None
    ) -> "Placement":
        """Follows a transform from a grid to an image.

        Args:
            grid: Whose voxels are placed.
            image: Where they are placed.
            transform: From the world of the grid to that of the image; `None` where
                these are the same.
        """
        if transform is None:
            return cls(image, grid.shape, image.inverse @ grid.affine)
        if transform.is_affine:
            matrix = image.inverse @ transform.affine_part @ grid.affine
            return cls(image, grid.shape, matrix)
        field = transform.displacement(grid)
        places = np.empty((grid.ndim, *grid.shape))

        def fill(rows: slice, slab: Grid) -> None:
            places[:, rows] = displaced_voxels(slab, field[rows], image.inverse)

        each_slab(grid, fill)
        return cls(image, grid.shape, _closest_matrix(places), places)

    def inside(self) -> np.ndarray:
        """Which voxels lie within the image, half a voxel included, `shape`, bool."""
        if self.places is None:
            return voxels_inside(self.image.shape, self.matrix, self.shape)
        return self.image.contains_voxels(self.places)

    def linear(self, array: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Interpolates grey values; see `dlir_tf.pairs.on_grid.to_grid`.

        Args:
            array: On the image's grid.
            inside: What `inside` returned.
        """
        if self.places is None:
            return to_grid(array, self.matrix, inside)
        array = smoothed_for(array, self.matrix)
        found = ndimage.map_coordinates(array, self.places, order=1, mode="nearest")
        return np.where(inside, np.clip(found, 0, 1), 0).astype(np.float32)

    def nearest(self, array: np.ndarray) -> np.ndarray:
        """Takes labels to the grid, nearest neighbour, 0 outside, in their dtype."""
        mode = "grid-constant"
        if self.places is not None:
            return ndimage.map_coordinates(array, self.places, order=0, mode=mode)
        linear, shift = self.matrix[:-1, :-1], self.matrix[:-1, -1]
        return ndimage.affine_transform(
            array, linear, shift, self.shape, order=0, mode=mode
        )


def to_working_grid(
    labels: Image, grid: Grid, initial: Transform | None = None
) -> np.ndarray:
    """Resamples labels on a working grid, nearest neighbour.

    Args:
        labels: On any grid.
        grid: The working grid.
        initial: From the grid's world to the labels'; `None` where these are the same.

    Returns:
        `grid.shape`, the labels' dtype, 0 outside.
    """
    return Placement.of(grid, labels.grid, initial).nearest(labels.array)


def _closest_matrix(places: np.ndarray) -> np.ndarray:
    """The affine map that comes closest to where the voxels of a grid lie."""
    ndim, shape = len(places), places.shape[1:]
    chosen = np.meshgrid(
        *(
            np.unique(np.linspace(0, n - 1, min(n, _MOST_PER_AXIS)).astype(int))
            for n in shape
        ),
        indexing="ij",
    )
    voxels = np.stack([axis.ravel() for axis in chosen])
    rows = np.vstack([voxels, np.ones(voxels.shape[1])])
    there = places[(slice(None), *voxels)]
    matrix = np.eye(ndim + 1)
    matrix[:-1] = np.linalg.lstsq(rows.T, there.T, rcond=None)[0].T
    return matrix
