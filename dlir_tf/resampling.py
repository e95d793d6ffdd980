"""Resampling an image at displaced points, with ITK's idea of its border."""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from dlir_tf.images import Image

# Grids are gone through in slabs of about this many voxels: a few MB each.
_SLAB_VOXELS = 1 << 16
_ORDERS = {"nearest": 0, "linear": 1}


def resample_displaced(
    moving: Image,
    reference: Image,
    displacement: np.ndarray,
    *,
    interpolation: str = "linear",
    fill_value: float = 0.0,
) -> Image:
    """Resamples an image at the points of a grid plus a displacement.

    As in ITK, a voxel reaches half a voxel beyond its centre: up to there the
    outermost values are continued, and beyond is outside.

    Args:
        moving: The image to be moved.
        reference: The grid of the result.
        displacement: `(*reference.shape, ndim)`, mm along the world axes (RAS+).
        interpolation: `"linear"`, or `"nearest"` for labels.
        fill_value: Given to voxels that come from outside the moving image.

    Returns:
        An image with the reference's grid and header and the moving dtype;
        integers are rounded and clipped to their range.

    Raises:
        ValueError: If the interpolation is unknown or shapes don't fit.
    """
    if interpolation not in _ORDERS:
        raise ValueError(
            f"interpolation: must be one of {sorted(_ORDERS)}. "
            f"Received: {interpolation!r}"
        )
    expected = (*reference.shape, moving.ndim)
    if displacement.shape != expected:
        raise ValueError(
            f"displacement: expected shape {expected}. Received: {displacement.shape}"
        )
    dtype = moving.array.dtype
    if dtype.kind in "iu" and not np.isfinite(fill_value):
        raise ValueError(
            f"fill_value: expected a finite number for an image of {dtype}. "
            f"Received: {fill_value}"
        )
    source = _interpolable(moving.array)
    to_voxels = np.linalg.inv(moving.affine)
    result = np.empty(reference.shape, dtype)
    for slab, affine in slabs(reference):
        points = grid_points(affine, result[slab].shape) + displacement[slab]
        voxels = apply_affine(to_voxels, points)
        values = _sample(source, voxels, _ORDERS[interpolation], fill_value)
        result[slab] = _cast(values, dtype)
    return Image(result, reference.affine, reference.header)


def slabs(image: Image) -> Iterator[tuple[slice, np.ndarray]]:
    """Cuts a grid across its first axis: slices, and the affine of each slab."""
    thickness = max(1, _SLAB_VOXELS * image.shape[0] // max(image.array.size, 1))
    for start in range(0, image.shape[0], thickness):
        affine = image.affine.copy()
        affine[:-1, -1] += start * affine[:-1, 0]
        yield slice(start, start + thickness), affine


def grid_points(affine: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Every voxel's position under `affine`, `(*shape, ndim)`, float64."""
    ndim = len(shape)
    points = np.broadcast_to(affine[:-1, -1], (*shape, ndim)).copy()
    for axis, size in enumerate(shape):
        along = np.arange(size)[:, None] * affine[:-1, axis]
        points += along.reshape([-1 if a == axis else 1 for a in range(ndim)] + [ndim])
    return points


def apply_affine(affine: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Maps points `(..., ndim)` by a matrix `(ndim + 1, ndim + 1)`."""
    # Not by BLAS, whose threads wait for each other longer than such a product takes.
    return np.einsum("...j,ij->...i", points, affine[:-1, :-1]) + affine[:-1, -1]


def _interpolable(array: np.ndarray) -> np.ndarray:
    """The array in a dtype that SciPy interpolates."""
    dtype = array.dtype.newbyteorder("=")
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):
        dtype = np.dtype(np.float64)
    return array.astype(dtype, copy=False)


def _sample(
    array: np.ndarray, voxels: np.ndarray, order: int, fill_value: float
) -> np.ndarray:
    """Values at voxel coordinates `(*shape, ndim)`; linear ones in float64."""
    # So that the identity gives an image back to the last bit.
    voxels = np.round(voxels, 9)
    # The displacement comes in float32: at the very edge, a little is forgiven.
    low, high = -0.5 - 1e-6, np.asarray(array.shape) - 0.5 + 1e-6
    inside = np.all((voxels >= low) & (voxels <= high), axis=-1)
    values = ndimage.map_coordinates(
        array,
        np.moveaxis(voxels, -1, 0),
        order=order,
        output=np.float64 if order else array.dtype,
        mode="nearest",
        prefilter=False,
    )
    fill = _cast(np.asarray(fill_value, np.float64), values.dtype)
    return np.where(inside, values, fill)


def _cast(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Changes the dtype; integers are rounded and clipped, never wrapped."""
    if array.dtype == dtype or dtype.kind not in "iu":
        return array.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    # The largest 64-bit integers have no float64 of their own; the next below has.
    high = min(limits.max, 2**63 - 1024)
    return np.clip(np.rint(array), limits.min, high).astype(dtype)
