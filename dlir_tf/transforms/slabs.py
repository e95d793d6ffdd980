"""Going through a grid slab by slab, so that little of it is in memory at a time."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dlir_tf.compute.threads import in_threads
from dlir_tf.images import Image

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


def displaced_voxels(
    slab: Slab, displacement: np.ndarray, to_voxels: np.ndarray
) -> np.ndarray:
    """Where a slab's voxels come from, axis by axis, which for NumPy is fast.

    Args:
        slab: A part of the fixed image.
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


def grid_points(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Every voxel's position under `affine`, `(*shape, ndim)`, float64."""
    steps = np.ogrid[tuple(slice(size) for size in shape)]
    points = np.empty((*shape, len(shape)))
    for component, row in enumerate(affine[:-1]):
        first, *others = [
            step * number for step, number in zip(row[:-1], steps, strict=True)
        ]
        points[..., component] = sum(others, start=first + row[-1])
    return points
