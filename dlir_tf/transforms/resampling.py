"""Resampling an image at given points, with ITK's idea of its border."""

from collections.abc import Callable, Sequence

import numpy as np
from scipy import ndimage

from dlir_tf.images import Grid, Image
from dlir_tf.images.label_images import holds_whole_numbers
from dlir_tf.images.missing import missing_voxels
from dlir_tf.transforms.label_shapes import label_sampler
from dlir_tf.transforms.missing import between_known, continued
from dlir_tf.transforms.slabs import each_slab

INTERPOLATIONS = {"nearest": 0, "linear": 1, "cubic": 3}
LABEL = "label"


def resample_at(
    moving: Image,
    grid: Grid,
    voxels: Callable[[slice, Grid], np.ndarray],
    *,
    interpolation: str = "linear",
    fill_value: float = 0.0,
    channel_fill: Sequence[float] | None = None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Resamples an image at the places that belong to the voxels of a grid.

    As in ITK, a voxel reaches half a voxel beyond its centre: up to there the
    outermost values are continued (reflected, for cubic splines), and beyond is
    outside. Voxels without a value (NaN) have none in the result either: see
    `dlir_tf.transforms.missing`.

    Args:
        moving: The image to be moved.
        grid: That of the result.
        voxels: From the rows and the grid of a slab to places in the moving image, in
            voxels, `(ndim, *slab.shape)`, float64.
        interpolation: `"linear"`, `"nearest"`, `"cubic"`, or `"label"` for labels
            with smooth borders (see `dlir_tf.transforms.label_shapes`).
        fill_value: Given to voxels that come from outside the moving image.
        channel_fill: Given to the channels there, if it has any; by default the same.

    Returns:
        The array, `grid.shape`, and the channels, `(*grid.shape, num_channels)`, if
        there are any; of the moving dtype; integers are rounded and clipped to their
        range.

    Raises:
        ValueError: If the interpolation is unknown or the fill value doesn't suit.
    """
    known = {*INTERPOLATIONS, LABEL}
    if interpolation not in known:
        raise ValueError(
            f"interpolation: must be one of {sorted(known)}. "
            f"Received: {interpolation!r}"
        )
    result = np.empty(grid.shape, moving.array.dtype)
    parts = [(moving.array, result, fill_value)]
    channels = None
    if moving.channels is not None:
        count = moving.channels.shape[-1]
        channels = _empty_like_picture((*grid.shape, count), moving.channels.dtype)
        values = [fill_value] * count if channel_fill is None else channel_fill
        parts += [
            (moving.channels[..., n], channels[..., n], value)
            for n, value in zip(range(count), values, strict=True)
        ]
    samplers = []
    for array, _, value in parts:
        _check_fill_value(value, array.dtype)
        samplers.append(_chosen_sampler(array, moving, interpolation))

    def fill(rows: slice, slab: Grid) -> None:
        places = voxels(rows, slab)
        inside = moving.grid.contains_voxels(places)
        everywhere = inside.all()
        for (_, target, value), sample in zip(parts, samplers, strict=True):
            values = sample(places)
            if not everywhere:
                outside = _cast(np.asarray(value, np.float64), values.dtype)
                values = np.where(inside, values, outside)
            target[rows] = _cast(values, target.dtype)

    each_slab(grid, fill)
    return result, channels


def _empty_like_picture(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Channels of a grid, in memory row after row, as files of pictures have them."""
    *size, count = shape
    return np.empty((*size[::-1], count), dtype).transpose(
        *range(len(size))[::-1], len(size)
    )


def _check_fill_value(value: float, dtype: np.dtype) -> None:
    if dtype.kind in "iu" and not np.isfinite(value):
        raise ValueError(
            f"fill_value: expected a finite number for an image of {dtype}. "
            f"Received: {value}"
        )


def _chosen_sampler(
    array: np.ndarray, moving: Image, interpolation: str
) -> Callable[[np.ndarray], np.ndarray]:
    """What gives an array's values at places, by the name of the interpolation."""
    if interpolation != LABEL:
        return _sampler(_interpolable(array), INTERPOLATIONS[interpolation])
    if not holds_whole_numbers(array):
        raise ValueError(
            "interpolation: label is for labels, whole numbers from 0 on. "
            f"Received values of {array.dtype}"
        )
    if moving.channels is not None:
        raise ValueError("interpolation: label is for one number a voxel, not colours")
    return label_sampler(array, moving.spacing)


def _sampler(array: np.ndarray, order: int) -> Callable[[np.ndarray], np.ndarray]:
    """What gives the values at places `(ndim, *shape)`."""
    missing = missing_voxels(array) if order else None
    if missing is None:
        source = _coefficients(array) if order == 3 else array
        return lambda places: _sample(source, places, order)
    known = (~missing).astype(np.float32)
    if order == 1:
        array = np.where(missing, 0, array)
        return lambda places: between_known(_sample, array, known, places)
    source = _coefficients(continued(array, missing))

    def cubic(places: np.ndarray) -> np.ndarray:
        there = np.isnan(between_known(_sample, known, known, places))
        return np.where(there, np.nan, _sample(source, places, order))

    return cubic


def _coefficients(array: np.ndarray) -> np.ndarray:
    """Of a cubic spline through all voxels."""
    # Single precision holds the coefficients of all but 32-bit integers.
    wide = array.dtype.itemsize > 4 or array.dtype.name in ("int32", "uint32")
    return np.asarray(
        ndimage.spline_filter(
            array, 3, np.float64 if wide else np.float32, mode="mirror"
        )
    )


def _interpolable(array: np.ndarray) -> np.ndarray:
    """The array in a dtype that SciPy interpolates."""
    dtype = array.dtype.newbyteorder("=")
    if dtype.kind == "f" and dtype.itemsize not in (4, 8):
        dtype = np.dtype(np.float64)
    return array.astype(dtype, copy=False)


def _sample(array: np.ndarray, voxels: np.ndarray, order: int) -> np.ndarray:
    """Values at places `(ndim, *shape)`; interpolated ones in float64."""
    # So that the identity gives an image back to the last bit.
    np.round(voxels, 9, out=voxels)
    if order == 0 and array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        return _nearest(array, voxels)
    return ndimage.map_coordinates(
        array,
        voxels,
        order=order,
        output=np.float64 if order else array.dtype,
        mode="mirror" if order == 3 else "nearest",
        prefilter=False,
    )


def _nearest(array: np.ndarray, voxels: np.ndarray) -> np.ndarray:
    """The nearest values; SciPy takes all through float64, which rounds large ones."""
    last = np.reshape(array.shape, (-1, *[1] * (voxels.ndim - 1))) - 1
    numbers = np.clip(np.floor(voxels + 0.5), 0, last).astype(np.intp)
    return np.asarray(array[tuple(numbers)])


def _cast(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Changes the dtype; integers are rounded and clipped, never wrapped."""
    same = array.dtype.newbyteorder("=") == dtype.newbyteorder("=")
    if same or dtype.kind not in "iu":
        return array.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    # The largest 64-bit integers have no float64 of their own; the next below has.
    high = min(limits.max, 2**63 - 1024)
    return np.clip(np.rint(array), limits.min, high).astype(dtype)
