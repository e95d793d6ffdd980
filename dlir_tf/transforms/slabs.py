"""Going through a grid slab by slab, so that little of it is in memory at a time."""

from collections.abc import Callable

import numpy as np

from dlir_tf.compute.threads import in_threads
from dlir_tf.images import Grid

# Slabs of about this many voxels: a few MB each.
_SLAB_VOXELS = 1 << 16


def each_slab(grid: Grid, work: Callable[[slice, Grid], None]) -> None:
    """Calls `work` with every slab of a grid, in several threads.

    Args:
        grid: What is gone through.
        work: Is called with the rows of a slab, along the first axis, and its grid;
            writes its result where no other slab does.
    """
    size = int(np.prod(grid.shape[1:]))
    thickness = max(1, _SLAB_VOXELS // size)
    starts = range(0, grid.shape[0], thickness)
    rows = [slice(n, min(n + thickness, grid.shape[0])) for n in starts]
    in_threads(work, rows, [grid.rows(part.start, part.stop) for part in rows])


def displaced_voxels(
    slab: Grid, displacement: np.ndarray, to_voxels: np.ndarray
) -> np.ndarray:
    """Where a slab's voxels come from, axis by axis, which for NumPy is fast.

    Args:
        slab: A part of the fixed image's grid.
        displacement: `(*slab.shape, ndim)`, mm, RAS+.
        to_voxels: World-to-voxel matrix of the moving image.

    Returns:
        `(ndim, *slab.shape)`, voxels of the moving image, float64.
    """
    matrix = to_voxels @ slab.affine
    steps = np.ogrid[tuple(slice(size) for size in slab.shape)]
    voxels = np.empty((len(steps), *slab.shape))
    for row, turn, along in zip(matrix[:-1], to_voxels[:-1], voxels, strict=True):
        along[...] = row[-1]
        for step, number in zip(row[:-1], steps, strict=True):
            if step:
                along += step * number
        for factor, component in zip(turn[:-1], range(len(steps)), strict=True):
            if factor:
                along += factor * displacement[..., component]
    return voxels


def times_row(field: np.ndarray, row: np.ndarray) -> np.ndarray:
    """The product of vectors `(..., ndim)` with a row `(ndim,)`.

    BLAS would start threads of its own.
    """
    product = field[..., 0] * row[0]
    for component in range(1, len(row)):
        if row[component]:
            product += field[..., component] * row[component]
    return np.asarray(product)
