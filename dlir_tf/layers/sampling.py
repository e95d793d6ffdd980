"""Sampling an image at arbitrary positions: the arithmetic behind `Warp`."""

import itertools
import math
from typing import Any

from keras import ops

Tensor = Any


def identity_coordinates(spatial_shape: tuple[Any, ...]) -> Tensor:
    """Returns the voxel coordinates of a grid, `(1, *spatial_shape, ndim)`.

    They are built from ranges at run time, so an exported graph holds no grid.
    """
    ndim = len(spatial_shape)
    axes = [
        ops.broadcast_to(
            ops.reshape(
                ops.cast(ops.arange(size), "float32"),
                [-1 if a == axis + 1 else 1 for a in range(ndim + 1)],
            ),
            (1, *spatial_shape),
        )
        for axis, size in enumerate(spatial_shape)
    ]
    return ops.stack(axes, axis=-1)


def sample_linear(
    image: Tensor, coordinates: Tensor, fill_value: float | None = None
) -> Tensor:
    """Interpolates an image (multi-)linearly.

    Args:
        image: `(batch, *spatial, channels)`.
        coordinates: `(batch, *points, ndim)` voxel coordinates, float32; `points`
            has any number of axes.
        fill_value: The value of every voxel outside the image; `None` repeats
            the voxels of the border.

    Returns:
        `(batch, *points, channels)`, float32.
    """
    if fill_value is not None:
        image, coordinates = _surround(image, coordinates, fill_value)
    sizes = ops.shape(image)[1:-1]
    strides = _strides(sizes)
    lowest, fractions = 0, []
    for axis, size in enumerate(sizes):
        last = ops.cast(size - 1, "float32")
        position = ops.clip(coordinates[..., axis], 0.0, last)
        # The cell's lower corner; at the last voxel, the cell before it.
        floor = ops.maximum(ops.minimum(ops.floor(position), last - 1.0), 0.0)
        fractions.append((position - floor)[..., None])
        lowest = lowest + ops.cast(floor, "int32") * strides[axis]
    gather = _gatherer(image, lowest)
    # One index per point and a constant step to each further corner: three times
    # as fast as eight indices of their own, compiled or not.
    steps = [
        stride * ops.minimum(size - 1, 1)
        for stride, size in zip(strides, sizes, strict=True)
    ]
    offsets = [
        sum(c * s for c, s in zip(corner, steps, strict=True))
        for corner in itertools.product((0, 1), repeat=len(sizes))
    ]
    corners = [ops.cast(gather(offset), "float32") for offset in offsets]
    for fraction in reversed(fractions):
        # This form returns a voxel's own value exactly, also at the last one.
        corners = [
            low * (1.0 - fraction) + high * fraction
            for low, high in zip(corners[0::2], corners[1::2], strict=True)
        ]
    return corners[0]


def sample_nearest(
    image: Tensor, coordinates: Tensor, fill_value: float | None = None
) -> Tensor:
    """Takes the value of the nearest voxel; the image's dtype is kept.

    Arguments as for `sample_linear`. Halves are rounded up.
    """
    if fill_value is not None:
        image, coordinates = _surround(image, coordinates, fill_value)
    sizes = ops.shape(image)[1:-1]
    nearest = 0
    for axis, (size, stride) in enumerate(zip(sizes, _strides(sizes), strict=True)):
        position = ops.floor(coordinates[..., axis] + 0.5)
        position = ops.clip(position, 0.0, ops.cast(size - 1, "float32"))
        nearest = nearest + ops.cast(position, "int32") * stride
    return _gatherer(image, nearest)(0)


def _surround(image: Tensor, coordinates: Tensor, value: float) -> tuple[Any, Any]:
    """Puts a shell of one voxel of `value` around the image."""
    ndim = coordinates.shape[-1]
    pads = [(0, 0), *([(1, 1)] * ndim), (0, 0)]
    return ops.pad(image, pads, constant_values=value), coordinates + 1.0


def _strides(sizes: tuple[Any, ...]) -> list[Any]:
    return [math.prod(sizes[axis + 1 :], start=1) for axis in range(len(sizes))]


def _gatherer(image: Tensor, index: Tensor) -> Any:
    """Returns a function `step -> voxels at index + step`, all batches at once."""
    shape = ops.shape(image)
    num_voxels = math.prod(shape[1:-1], start=1)
    voxels = ops.reshape(image, (-1, shape[-1]))
    first = ops.arange(shape[0], dtype="int32") * num_voxels
    index = index + ops.reshape(first, (-1, *([1] * (len(index.shape) - 1))))

    def gather(step: Any) -> Tensor:
        return ops.take(voxels, index + step, axis=0)

    return gather
