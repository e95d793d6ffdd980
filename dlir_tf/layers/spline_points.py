"""Cubic B-splines at points anywhere: the arithmetic that `BSplineTransformer` spares.

On a grid that runs along the lattice, a spline is a product over the axes. At points
that an earlier transform has displaced, every one has its own `4^ndim` weights.
"""

from typing import Any

from keras import ops

from dlir_tf.compilation import compiled_island

Tensor = Any


@compiled_island
def spline_at_points(
    control_points: Tensor, lattice_shape: Tensor, cells: Tensor, offsets: Tensor
) -> Tensor:
    """Evaluates a cubic B-spline at points.

    A position in lattice coordinates, where control point `m` has its peak at `m`,
    comes as a whole number and a fraction: as one float32 number, it would be too
    coarse on a large lattice.

    Args:
        control_points: `(num_control_points, channels)`, float32, those of a lattice
            with its last axis running fastest; further rows at the end are ignored,
            so that lattices of different shapes can share one compiled function.
        lattice_shape: `(ndim,)`, int32, at least 4 along each axis.
        cells: `(ndim, num_points)`, int32, the cell that each point lies in, from 1
            to `n - 3` along an axis of `n` control points.
        offsets: `(ndim, num_points)`, float32, the place within the cell, 0 to 1.

    Returns:
        `(num_points, channels)`, float32.
    """
    ndim = offsets.shape[0]
    first = cells - 1
    strides = [1] * ndim
    for axis in reversed(range(ndim - 1)):
        strides[axis] = strides[axis + 1] * lattice_shape[axis + 1]
    lowest = sum(first[axis] * strides[axis] for axis in range(ndim))
    *outer, inner = [_weights(offsets[axis]) for axis in range(ndim)]

    # A loop, because XLA takes twice as long to compile all taps written out.
    def add_row(number: Tensor, total: Tensor) -> Tensor:
        places = [number // 4**axis % 4 for axis in reversed(range(ndim - 1))]
        start, weight = lowest, ops.ones_like(offsets[0])
        for axis, place in enumerate(places):
            start = start + place * strides[axis]
            weight = weight * ops.take(outer[axis], place, axis=0)
        row = sum(
            inner[k][:, None] * ops.take(control_points, start + k, axis=0)
            for k in range(4)
        )
        return total + weight[:, None] * row

    total = ops.zeros((ops.shape(offsets)[1], control_points.shape[-1]), "float32")
    return ops.fori_loop(0, 4 ** (ndim - 1), add_row, total)


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
