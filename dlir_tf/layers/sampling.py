"""Sampling an image at arbitrary positions: the arithmetic behind `Warp`."""

import itertools
import math
from collections.abc import Callable
from typing import Any

from keras import ops

from dlir_tf.compute.blocks import gather_rows, grid_axes, in_blocks, pair_gatherer
from dlir_tf.layers.cells import (
    clip_to,
    components,
    corner_offsets,
    find_cells,
    interpolate,
    steps_to_next,
    strides_of,
)

Tensor = Any
# Takes positions, one tensor `(samples, *points)` per axis, and the number of each
# of these samples in the batch; returns the values there.
Sampler = Callable[[list[Tensor], Tensor], Tensor]


def identity_coordinates(spatial_shape: tuple[Any, ...]) -> Tensor:
    """Returns the voxel coordinates of a grid, `(1, *spatial_shape, ndim)`.

    They are built from ranges at run time, so an exported graph holds no grid.
    """
    axes = grid_axes(spatial_shape)
    return ops.stack([ops.broadcast_to(a, (1, *spatial_shape)) for a in axes], axis=-1)


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
    sampler = _linear_sampler(image, fill_value)
    return _sample(sampler, coordinates, image.shape[-1], "float32")


def sample_nearest(
    image: Tensor, coordinates: Tensor, fill_value: float | None = None
) -> Tensor:
    """Takes from an image the value of the voxel nearest to each point.

    Halfway between two voxels, it takes the one with the larger coordinate.

    Args:
        image: `(batch, *spatial, channels)`, any dtype.
        coordinates: As for `sample_linear`.
        fill_value: As for `sample_linear`.

    Returns:
        `(batch, *points, channels)`, of the image's dtype.
    """
    sampler = _nearest_sampler(image, fill_value)
    return _sample(sampler, coordinates, image.shape[-1], image.dtype)


def sample_displaced(
    image: Tensor,
    ddf: Tensor,
    fill_value: float | None = None,
    interpolation: str = "linear",
) -> Tensor:
    """Samples an image at the voxels of a grid, displaced.

    The same as sampling at `identity_coordinates(...) + ddf`, but without ever
    putting these coordinates together: that takes about as long as all that is
    computed from them.

    Args:
        image: `(batch, *spatial, channels)`.
        ddf: `(batch, *size, ndim)`, in voxels, float32.
        fill_value: As for `sample_linear`.
        interpolation: `"linear"` or `"nearest"`.

    Returns:
        `(batch, *size, channels)`, float32 or, of the nearest voxel, the image's.
    """
    linear = interpolation == "linear"
    sampler = (_linear_sampler if linear else _nearest_sampler)(image, fill_value)

    def sample_block(ddf: Tensor, samples: Tensor, grid: list[Tensor]) -> Tensor:
        displaced = zip(components(ddf), grid, strict=True)
        return sampler([component + voxels for component, voxels in displaced], samples)

    dtype = "float32" if linear else image.dtype
    return in_blocks(sample_block, ddf, image.shape[-1], dtype)


def _sample(sampler: Sampler, coordinates: Tensor, channels: int, dtype: Any) -> Tensor:
    def sample_block(coordinates: Tensor, samples: Tensor, _: list[Tensor]) -> Tensor:
        return sampler(components(coordinates), samples)

    return in_blocks(sample_block, coordinates, channels, dtype)


def _linear_sampler(image: Tensor, fill_value: float | None) -> Sampler:
    shift, image = _surround(ops.cast(image, "float32"), fill_value)
    sizes, channels = ops.shape(image)[1:-1], image.shape[-1]
    *steps, last_step = steps_to_next(sizes)
    offsets = corner_offsets(steps)
    gather_pair = pair_gatherer(ops.reshape(image, (-1, channels)), last_step)

    def sample(positions: list[Tensor], samples: Tensor) -> Tensor:
        shifted = [position + shift for position in positions]
        first = _first_voxels(positions, samples, sizes)
        lowest, fractions = find_cells(shifted, sizes, first)
        # Where a position is no number, nor is the value; but the index has to be one.
        lowest = ops.maximum(lowest, 0)
        pairs = [gather_pair(lowest + offset) for offset in offsets]
        return interpolate(
            list(itertools.chain(*pairs)), [f[..., None] for f in fractions]
        )

    return sample


def _nearest_sampler(image: Tensor, fill_value: float | None) -> Sampler:
    shift, image = _surround(image, fill_value)
    sizes = ops.shape(image)[1:-1]
    voxels = ops.reshape(image, (-1, image.shape[-1]))

    def sample(positions: list[Tensor], samples: Tensor) -> Tensor:
        nearest = _first_voxels(positions, samples, sizes)
        strides = strides_of(sizes)
        for position, size, stride in zip(positions, sizes, strides, strict=True):
            position = clip_to(ops.floor(position + (shift + 0.5)), size)
            nearest = nearest + ops.maximum(ops.cast(position, "int32"), 0) * stride
        return gather_rows(voxels, nearest)

    return sample


def _surround(image: Tensor, value: float | None) -> tuple[float, Tensor]:
    """Puts a shell of one voxel of `value`, if any, around the image.

    Returns what is to be added to coordinates, and the image.
    """
    if value is None:
        return 0.0, image
    pads = [(0, 0), *([(1, 1)] * (len(image.shape) - 2)), (0, 0)]
    return 1.0, ops.pad(image, pads, constant_values=value)


def _first_voxels(positions: list[Tensor], samples: Tensor, sizes: Any) -> Tensor:
    """The index of each sample's first voxel, to be added to all of its points."""
    shape = (-1, *([1] * (len(positions[0].shape) - 1)))
    return ops.reshape(samples * math.prod(sizes, start=1), shape)
