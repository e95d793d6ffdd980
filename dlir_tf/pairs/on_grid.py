"""Bringing grey values onto a grid, and knowing which of its voxels they reach."""

import numpy as np
from scipy import ndimage

from dlir_tf.images.grid import is_within
from dlir_tf.pairs.parallel_grids import resample_along_axes


def to_grid(array: np.ndarray, matrix: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """Interpolates linearly; low-pass filtered first where the grid is coarser.

    The outermost values reach to the voxels' edges, as in `Transform.resample`, and
    zeros lie beyond.
    """
    array, shape = smoothed_for(array, matrix), inside.shape
    resampled = resample_along_axes(array, matrix, shape)
    if resampled is None:
        resampled = ndimage.affine_transform(
            array, matrix[:-1, :-1], matrix[:-1, -1], shape, order=1, mode="nearest"
        )
    return np.where(inside, np.clip(resampled, 0, 1), 0).astype(np.float32)


def smoothed_for(array: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Low-pass filters what a grid has too few voxels for; else the array itself.

    Args:
        array: Of an image.
        matrix: From voxels of the grid to the image's, `(ndim + 1, ndim + 1)`.
    """
    coarsening = np.linalg.norm(matrix[:-1, :-1], axis=1)
    sigma = 0.5 * np.sqrt(np.maximum(coarsening**2 - 1, 0))
    if sigma.max() <= 0.25:
        return array
    return np.asarray(ndimage.gaussian_filter(array, sigma, mode="nearest", truncate=3))


def voxels_inside(
    image_shape: tuple[int, ...], matrix: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Which grid voxels lie within the image's extent, half a voxel included."""
    inside = np.ones(shape, bool)
    coordinates = np.meshgrid(*map(np.arange, shape), indexing="ij", sparse=True)
    for row, size in zip(matrix[:-1], image_shape, strict=True):
        # On grids that run along the image's, only one axis counts.
        position = row[-1] + sum(
            step * along
            for step, along in zip(row[:-1], coordinates, strict=True)
            if step
        )
        inside &= is_within(size, position)
    return inside
