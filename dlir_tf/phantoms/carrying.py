"""What a breath makes of a CT: tissue goes elsewhere, and lungs thin as they grow."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dlir_tf.images import Grid, Image
from dlir_tf.images.hounsfield import AIR
from dlir_tf.images.padding import padding_voxels
from dlir_tf.metrics import jacobian_determinant
from dlir_tf.phantoms.breath import Breath

Array = NDArray[np.floating]

PADDING = -2048  # HU, outside the scanner's field
_SLAB_VOXELS = 250_000  # moved at once: a motion takes 400 bytes for each


def carry(
    image: Image, lungs: NDArray[np.bool_], breath: Breath, grid: Grid
) -> tuple[Array, NDArray[np.bool_]]:
    """What a breath makes of an image and of its lungs, on a grid.

    Args:
        image: The thorax at rest, HU.
        lungs: Of the image's shape.
        breath: The motion.
        grid: In the image's world.

    Returns:
        HU, `PADDING` where the image shows nothing; and the lungs; of the grid's shape.
    """
    padding, tissue = padding_voxels(image), image.array.astype(np.float32) - AIR
    if padding is not None:
        tissue[padding] = 0.0
    rest = _Rest(image.grid, tissue, lungs.astype(np.float32), padding)
    thickness = max(1, _SLAB_VOXELS // int(np.prod(grid.shape[1:])))
    slabs = [
        _carry_slab(rest, breath, grid, start, start + thickness)
        for start in range(0, grid.shape[0], thickness)
    ]
    array, moved = (np.concatenate(parts) for parts in zip(*slabs, strict=True))
    return array, moved


@dataclass(frozen=True, eq=False)
class _Rest:
    """A thorax at rest: what it has more than air, HU, and what that is a part of."""

    grid: Grid
    tissue: Array
    lungs: Array
    padding: NDArray[np.bool_] | None


def _carry_slab(
    rest: _Rest, breath: Breath, grid: Grid, start: int, stop: int
) -> tuple[Array, NDArray[np.bool_]]:
    """What `carry` gives for some rows of a grid."""
    # A row more on either side, for the differences of the determinant.
    first = max(start - 1, 0)
    rows = grid.rows(first, stop + 1)
    points = rows.points().reshape(-1, 3)
    origin = breath.origin(points)
    ddf = (rows.to_voxels(origin) - rows.to_voxels(points)).reshape(*rows.shape, 3)
    inner = slice(start - first, stop - first)
    origin = origin.reshape(*rows.shape, 3)[inner]
    voxels = np.moveaxis(rest.grid.to_voxels(origin), -1, 0)
    there = rest.grid.contains_voxels(voxels)
    if rest.padding is not None:
        there &= _sampled(rest.padding, voxels, order=0) == 0
    inside = _sampled(rest.lungs, voxels, order=1)
    # Lungs take in air, which weighs nothing; nothing else changes its density.
    thinned = 1.0 + inside * (jacobian_determinant(ddf)[inner] - 1.0)
    tissue = thinned * _sampled(rest.tissue, voxels, order=1)
    return np.where(there, tissue + AIR, PADDING), there & (inside > 0.5)


def _sampled(array: NDArray[np.generic], voxels: Array, *, order: int) -> Array:
    return np.asarray(
        ndimage.map_coordinates(array, voxels, order=order, mode="nearest")
    )
