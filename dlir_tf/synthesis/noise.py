"""Smooth noise, and other products with one small matrix per axis."""

from collections.abc import Sequence
from typing import Any

from keras import ops

from dlir_tf.compute.compilation import compiled_fixed_island
from dlir_tf.layers.bspline import voxel_weights
from dlir_tf.splines.lattice import BORDER
from dlir_tf.synthesis.draws import Draws

Tensor = Any


@compiled_fixed_island
def smooth_texture(seed: Tensor, *, shape: tuple[int, ...], spacing: int) -> Tensor:
    """As `smooth_noise`, of one channel, compiled by itself."""
    return smooth_noise(Draws(seed), shape, spacing)


def smooth_noise(
    draws: Draws, shape: tuple[int, ...], spacing: int, channels: int = 1
) -> Tensor:
    """Draws a spline with random control points: noise without fine structures.

    Args:
        draws: Where the numbers come from.
        shape: `(batch, *size)`.
        spacing: Voxels between control points; structures are about as large.
        channels: How many fields are drawn for each sample.

    Returns:
        `(batch, *size, channels)`, of mean 0, mostly between -1 and 1.
    """
    batch, *size = shape
    cells = [-(-n // spacing) for n in size]
    lattice = (batch, *(n + 2 * BORDER for n in cells), channels)
    # The spline averages; along each axis that takes half of the variance away.
    points = draws.normal(lattice) * 0.6 * 1.45 ** len(size)
    weights = [
        voxel_weights(n, spacing)[:length]
        for n, length in zip(cells, size, strict=True)
    ]
    return along_axes(weights, points)


def along_axes(matrices: Sequence[Any], values: Tensor) -> Tensor:
    """Multiplies each spatial axis with a matrix.

    Args:
        matrices: One per axis, `(new_size, size)`, or `(batch, new_size, size)`.
        values: `(batch, *sizes, channels)`.

    Returns:
        `(batch, *new_sizes, channels)`.
    """
    for axis, matrix in enumerate(matrices, start=1):
        batch, *before = values.shape[:axis]
        size, *after = values.shape[axis:]
        # All axes before become one, and all behind.
        matrix = ops.convert_to_tensor(matrix, "float32")
        if axis == 1:
            product = ops.matmul(matrix, ops.reshape(values, (batch, size, -1)))
        else:
            lines = ops.reshape(values, (batch, _product(before), size, -1))
            whole = matrix if len(matrix.shape) == 2 else matrix[:, None]
            product = ops.matmul(whole, lines)
        values = ops.reshape(product, (batch, *before, matrix.shape[-2], *after))
    return values


def _product(sizes: Sequence[int]) -> int:
    product = 1
    for size in sizes:
        product *= size
    return product
