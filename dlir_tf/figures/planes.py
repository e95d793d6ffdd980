"""One plane of an image: which one, which way up, and what else lies in it.

Planes are laid out the way radiologists look: of the two axes in the plane, the
one nearest to left-right (or front-back) runs to the right towards the patient's
left (back), the other one upwards to the head or front.
"""

from dataclasses import dataclass

import numpy as np
from nibabel.orientations import io_orientation
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from dlir_tf.errors import InputError
from dlir_tf.images import Grid, Image
from dlir_tf.images.grid import is_within

Array = NDArray[np.floating]

NUM_GRID_LINES = 26  # across the longer side


@dataclass(frozen=True)
class View:
    """How one plane of the fixed grid is laid out on paper."""

    grid: Grid
    axes: tuple[int, int]  # array axes drawn to the right and upwards
    flips: tuple[bool, bool]
    extent: tuple[float, float]  # mm
    letters: tuple[str, str, str, str] | None  # left, right, bottom, top
    slice_axis: int | None
    slice_index: int

    def plane(self, array: Array) -> Array:
        """The plane of an array `(*shape, ...)`, as `(right, up, ...)`."""
        if self.slice_axis is not None:
            array = np.take(array, self.slice_index, axis=self.slice_axis)
        if self.axes[0] > self.axes[1]:
            array = array.swapaxes(0, 1)
        steps = [slice(None, None, -1 if flip else 1) for flip in self.flips]
        return array[tuple(steps)]

    def resample(self, image: Image) -> Array:
        """Another image at the world points of the plane, black outside it.

        Args:
            image: On a grid of its own.
        """
        shape, ndim = self.grid.shape, self.grid.ndim
        axes = list(np.indices(shape, sparse=True))
        if self.slice_axis is not None:
            axes[self.slice_axis] = np.full((1,) * ndim, self.slice_index)
        matrix = image.grid.inverse @ self.grid.affine
        points, inside = [], np.array(True)
        for row, size in zip(matrix[:ndim], image.shape, strict=True):
            place = sum((row[b] * axes[b] for b in range(ndim)), row[ndim])
            inside = inside & is_within(size, place)
            points.append(np.clip(place, 0, size - 1))
        voxels = image.array.astype(np.float32)
        values = map_coordinates(voxels, np.broadcast_arrays(*points), order=1)
        return self.plane(np.broadcast_to(np.where(inside, values, 0.0), shape))

    def deformed_grid(self, displacement: Array) -> tuple[Array, Array]:
        """Lines of the fixed grid, each drawn where the transform takes it.

        Args:
            displacement: `(*shape, ndim)` in world mm.

        Returns:
            Segments `(n, 2, 2)` as points (right, up) in mm of the plane, and the
            length of the displacement at each, all components counted, in mm.
        """
        field = self.plane(displacement.astype(np.float64))
        voxels = field @ self.grid.inverse[:-1, :-1].T
        size = np.linalg.norm(field, axis=-1)
        spacing = [self.grid.spacing[axis] for axis in self.axes]
        places = []
        for number, axis in enumerate(self.axes):
            sign = -1.0 if self.flips[number] else 1.0
            start = np.indices(size.shape)[number] + 0.5
            places.append((start + sign * voxels[..., axis]) * spacing[number])
        points = np.stack(places, axis=-1)
        segments, sizes = [], []
        for number in range(2):
            every = max(1, round(max(self.extent) / NUM_GRID_LINES / spacing[number]))
            lines = points.swapaxes(0, number)[every // 2 :: every]
            along = size.swapaxes(0, number)[every // 2 :: every]
            pairs = np.stack([lines[:, :-1], lines[:, 1:]], axis=2)
            segments.append(pairs.reshape(-1, 2, 2))
            sizes.append(((along[:, :-1] + along[:, 1:]) / 2).ravel())
        return np.concatenate(segments), np.concatenate(sizes)


def choose_view(fixed: Grid, slice_axis: int, slice_index: int | None) -> View:
    """Picks a plane of an image's grid; the middle one if no index is given.

    Raises:
        InputError: If a 3-d image has no such axis or slice.
    """
    ndim, cut, index = fixed.ndim, None, 0
    if ndim == 3:
        if not -3 <= slice_axis < 3:
            raise InputError(f"slice_axis must be 0, 1 or 2. Received: {slice_axis}")
        cut = slice_axis % 3
        count = fixed.shape[cut]
        index = count // 2 if slice_index is None else slice_index
        if not 0 <= index < count:
            raise InputError(
                f"slice_index must be from 0 to {count - 1} along axis {cut}. "
                f"Received: {index}"
            )
    world = io_orientation(fixed.affine)  # per array axis: nearest world axis, sign
    right, up = sorted((a for a in range(ndim) if a != cut), key=lambda a: world[a, 0])
    # To the right is towards the patient's left or back: the negative world axis.
    flips = (bool(world[right, 1] > 0), bool(world[up, 1] < 0))
    names = ("LR", "PA", "IS")
    across, along = names[int(world[right, 0])], names[int(world[up, 0])]
    return View(
        grid=fixed,
        axes=(right, up),
        flips=flips,
        extent=(float(fixed.extent[right]), float(fixed.extent[up])),
        letters=(across[1], across[0], along[0], along[1]) if ndim == 3 else None,
        slice_axis=cut,
        slice_index=index,
    )
