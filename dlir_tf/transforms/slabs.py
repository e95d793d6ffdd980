"""Going through a grid slab by slab, so that little of it is in memory at a time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dlir_tf.images import Image
from dlir_tf.threads import in_threads

# Slabs of about this many voxels: a few MB each.
_SLAB_VOXELS = 1 << 16


@dataclass(frozen=True, eq=False)
class Slab:
    """A part of a grid: some of the rows along its first axis.

    Attributes:
        rows: Which ones.
        affine: Voxel-to-world matrix of the slab.
        shape: Its shape.
    """

    rows: slice
    affine: np.ndarray
    shape: tuple[int, ...]


def each_slab(reference: Image, work: Callable[[Slab], None]) -> None:
    """Calls `work` with every slab of an image's grid, in several threads.

    Args:
        reference: Only its grid counts.
        work: Writes its result where no other slab does.
    """
    size = max(int(np.prod(reference.shape[1:])), 1)
    thickness = max(1, _SLAB_VOXELS // size)
    slabs = []
    for start in range(0, reference.shape[0], thickness):
        affine = reference.affine.copy()
        affine[:-1, -1] += start * affine[:-1, 0]
        num_rows = min(thickness, reference.shape[0] - start)
        rows = slice(start, start + num_rows)
        slabs.append(Slab(rows, affine, (num_rows, *reference.shape[1:])))
    in_threads(work, slabs)


def grid_points(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Every voxel's position under `affine`, `(*shape, ndim)`, float64."""
    ndim = len(shape)
    points = np.broadcast_to(affine[:-1, -1], (*shape, ndim)).copy()
    for axis, size in enumerate(shape):
        along = np.arange(size)[:, None] * affine[:-1, axis]
        points += along.reshape([-1 if a == axis else 1 for a in range(ndim)] + [ndim])
    return points
