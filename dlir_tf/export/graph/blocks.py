"""Going through a grid block by block, so that little of it is in memory at a time."""

from collections.abc import Callable
from typing import Any, NamedTuple

import tensorflow as tf

from dlir_tf.compute.compilation import all_at_once

Tensor = Any

# Blocks of about this many voxels: what is computed of one stays in the cache.
_BLOCK_VOXELS = 1 << 15


class Block(NamedTuple):
    """A part of a grid whose voxels follow each other in the array.

    Attributes:
        start: Its first voxel, `(ndim,)`, int32.
        shape: `(ndim,)`, int32.
    """

    start: Tensor
    shape: Tensor

    def axis(self, number: int) -> Tensor:
        """The voxel coordinates along one axis, float64."""
        first = self.start[number]
        return tf.cast(tf.range(first, first + self.shape[number]), tf.float64)

    def voxels(self) -> Tensor:
        """The coordinates of all voxels, `(ndim, num_voxels)`, float64."""
        ndim = self.shape.shape[0]
        axes = [self.axis(number) for number in range(ndim)]
        return tf.stack(
            [tf.reshape(a, [-1]) for a in tf.meshgrid(*axes, indexing="ij")]
        )


def over_blocks(
    shape: Tensor,
    compute: Callable[[Block], tuple[Tensor, ...]],
    dtypes: tuple[tf.DType, ...],
    channels: tuple[tuple[int, ...], ...],
) -> list[Tensor]:
    """Calls a function with every block of a grid and joins its results.

    Args:
        shape: The grid's, `(ndim,)`, int32.
        compute: Returns for each result one row per voxel of the block, in order; or
            another number of rows, which aren't of voxels then.
        dtypes: Of each result.
        channels: The shape of each result's rows.

    Returns:
        The rows of all blocks.
    """
    # Whole rows along the first axis; parts of one where it's too long by itself.
    cell = tf.reduce_prod(shape[2:])
    columns = tf.clip_by_value(_BLOCK_VOXELS // cell, 1, shape[1])
    rows = tf.clip_by_value(_BLOCK_VOXELS // (cell * shape[1]), 1, shape[0])
    num_parts = -(-shape[1] // columns)
    num_blocks = -(-shape[0] // rows) * num_parts
    step = tf.stack([rows, columns])

    def work(number: Tensor, *arrays: Any) -> tuple[Any, ...]:
        place = tf.stack([number // num_parts, number % num_parts]) * step
        start = tf.concat([place, tf.zeros_like(shape[2:])], axis=0)
        size = tf.concat([tf.minimum(step, shape[:2] - place), shape[2:]], axis=0)
        start.set_shape(shape.shape)
        size.set_shape(shape.shape)
        with all_at_once():
            results = compute(Block(start, size))
        written = [a.write(number, r) for a, r in zip(arrays, results, strict=True)]
        return (number + 1, *written)

    arrays = [
        tf.TensorArray(
            dtype, num_blocks, element_shape=(None, *channel), infer_shape=False
        )
        for dtype, channel in zip(dtypes, channels, strict=True)
    ]
    _, *filled = tf.while_loop(
        lambda number, *_: number < num_blocks,
        work,
        (tf.zeros([], tf.int32), *arrays),
        parallel_iterations=2,
        maximum_iterations=num_blocks,
    )
    return [array.concat() for array in filled]
