"""Cubic B-splines at points anywhere: the arithmetic that `BSplineTransformer` spares.

On a grid that runs along the lattice, a spline is a product over the axes. At points
that an earlier transform has displaced, every one has its own `4^ndim` weights.
"""

import itertools
import math
from typing import Any

from keras import ops

from dlir_tf.compute.blocks import gather_rows
from dlir_tf.compute.compilation import compiled_fixed_island

Tensor = Any


@compiled_fixed_island
def spline_at_points(
    rows: Tensor, lattice_shape: Tensor, cells: Tensor, offsets: Tensor
) -> Tensor:
    """Evaluates a cubic B-spline at points.

    A position in lattice coordinates, where control point `m` has its peak at `m`,
    comes as a whole number and a fraction: as one float32 number, it would be too
    coarse on a large lattice.

    Args:
        rows: From `neighbours_in_rows`; further rows at the end are ignored, so that
            lattices of different shapes can share one compiled function.
        lattice_shape: `(ndim,)`, int32, at least 4 along each axis.
        cells: `(ndim, num_points)`, int32, the cell that each point lies in, from 1
            to `n - 3` along an axis of `n` control points.
        offsets: `(ndim, num_points)`, float32, the place within the cell, 0 to 1.

    Returns:
        `(num_points, ndim)`, float32.
    """
    ndim = offsets.shape[0]
    first = cells - 1
    strides = [1] * ndim
    for axis in reversed(range(ndim - 1)):
        size = lattice_shape[axis + 1] - (3 if axis == ndim - 2 else 0)
        strides[axis] = strides[axis + 1] * size
    lowest = sum(first[axis] * strides[axis] for axis in range(ndim))
    *outer, inner = [_weights(offsets[axis]) for axis in range(ndim)]
    # Written out, not as a loop over rows: so XLA keeps the sums in registers.
    total = ops.zeros((ops.shape(offsets)[1], rows.shape[-1]), "float32")
    for taps in itertools.product(range(4), repeat=ndim - 1):
        start = lowest + sum(tap * strides[axis] for axis, tap in enumerate(taps))
        weight = math.prod(outer[axis][tap] for axis, tap in enumerate(taps))
        total = total + weight[:, None] * gather_rows(rows, start)
    per_number = ops.transpose(ops.repeat(inner, ndim, axis=0))
    parts = total[:, : 4 * ndim] * per_number
    return ops.sum(ops.reshape(parts, (-1, 4, ndim)), axis=1)


def _weights(u: Tensor) -> Tensor:
    """Weights of the four neighbours, `(4, num_points)`."""
    v = 1.0 - u
    return ops.stack(
        [
            v * v * v / 6.0,
            (3.0 * u * u * u - 6.0 * u * u + 4.0) / 6.0,
            (3.0 * v * v * v - 6.0 * v * v + 4.0) / 6.0,
            u * u * u / 6.0,
        ]
    )
