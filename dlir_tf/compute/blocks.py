"""Work on many points, block by block, where no compiler joins the loops.

A plain TensorFlow graph runs one operation after the other, each over all points.
What one leaves for the next is as large as the image, so most of the time is spent
on moving it through the memory. Blocks of points stay in a processor's cache.
"""

import math
from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from dlir_tf.compute.compilation import all_at_once, works_in_blocks

Tensor = Any

# 32768 float32 are 128 KiB; of the order of ten such tensors are alive at a time.
# Measured on a linear warp of 160x192x160: 0.26 to 0.27 CPU seconds in blocks of 4096
# to 32768 points, 0.33 of 262144, 0.50 all at once.
POINTS_PER_BLOCK = 32768
# Enough to keep some cores busy, few enough to leave each its cache.
BLOCKS_AT_A_TIME = 4


def in_blocks(
    function: Callable[[Tensor, Tensor, list[Tensor]], Tensor],
    points: Tensor,
    channels: int,
    dtype: Any = "float32",
) -> Tensor:
    """Applies a function of points to all of them, in blocks if asked to.

    It works in blocks inside `without_islands(in_blocks=True)` under TensorFlow,
    and all at once everywhere else.

    Args:
        function: Takes a block `(samples, *size, ndim)`; the number of each of its
            samples in the batch, `(samples,)`; and where on the grid of all points
            it lies: for each axis the coordinates of its points, to be broadcast to
            `(samples, *size)`. Returns `(samples, *size, channels)`.
        points: `(batch, *size, ndim)`.
        channels: How many the function returns.
        dtype: Of what the function returns.

    Returns:
        `(batch, *size, channels)`.
    """
    batch, num_rows, *others = ops.shape(points)[:-1]
    if not works_in_blocks():
        samples = ops.arange(batch, dtype="int32")
        return function(points, samples, grid_axes((num_rows, *others)))
    import tensorflow as tf

    rows = tf.maximum(1, POINTS_PER_BLOCK // tf.maximum(1, math.prod(others)))
    blocks = (num_rows + rows - 1) // rows
    # Written out once, because TensorFlow is slow at broadcasting.
    size = (1, rows, *others)
    grid = [tf.broadcast_to(axis, size) for axis in grid_axes(size[1:])]
    results = tf.TensorArray(dtype, size=batch * blocks, infer_shape=False)

    def step(number: Tensor, results: Any) -> tuple[Tensor, Any]:
        sample, first = number // blocks, number % blocks * rows
        block = points[sample, first : first + rows][None]
        axes = [axis[:, : tf.shape(block)[1]] for axis in grid]
        axes[0] += tf.cast(first, tf.float32)
        with all_at_once():
            result = function(block, sample[None], axes)[0]
        return number + 1, results.write(number, result)

    _, results = tf.while_loop(
        lambda number, _: number < batch * blocks,
        step,
        (0, results),
        parallel_iterations=BLOCKS_AT_A_TIME,
    )
    values = tf.reshape(results.concat(), (batch, num_rows, *others, channels))
    values.set_shape((*points.shape[:-1], channels))
    return values


def grid_axes(size: tuple[Any, ...]) -> list[Tensor]:
    """The coordinates along each axis of a grid, shaped `(1, ..., n, ..., 1)`.

    There is an axis for the batch before those of the grid.
    """
    axes = range(len(size) + 1)
    return [
        ops.reshape(
            ops.cast(ops.arange(size[axis]), "float32"),
            [-1 if a == axis + 1 else 1 for a in axes],
        )
        for axis in axes[:-1]
    ]


def gather_rows(rows: Tensor, index: Tensor) -> Tensor:
    """Takes rows by their numbers, which must not be negative.

    `ops.take` allows for numbers counted from the end, which costs as much again
    as the look-up itself.
    """
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.gather(rows, index)
    return ops.take(rows, index, axis=0)


def pair_gatherer(rows: Tensor, step: Any) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    """Returns a function of an index that takes the rows there and `step` further.

    In blocks, a look-up takes as long for two numbers as for one. So the pairs are
    put together beforehand, as the parts of complex numbers: TensorFlow's own way
    of keeping two arrays side by side, at the price of one pass over the rows.
    """
    if not works_in_blocks():
        return lambda index: (
            gather_rows(rows, index),
            gather_rows(rows, index + step),
        )
    import tensorflow as tf

    pairs = tf.complex(rows, tf.concat([rows[step:], rows[:step]], axis=0))

    def gather(index: Tensor) -> tuple[Tensor, Tensor]:
        found = tf.gather(pairs, index)
        return tf.math.real(found), tf.math.imag(found)

    return gather
