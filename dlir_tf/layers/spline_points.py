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
    control_points: Tensor, lattice_shape: Tensor, positions: Tensor
) -> Tensor:
    """Evaluates a cubic B-spline at points.

    Args:
        control_points: `(num_control_points, channels)`, float32, those of a lattice
            with its last axis running fastest; further rows at the end are ignored,
            so that lattices of different shapes can share one compiled function.
        lattice_shape: `(ndim,)`, int32, at least 4 along each axis.
        positions: `(num_points, ndim)`, float32 lattice coordinates: control point
            `m` has its peak at `m`.

    Returns:
        `(num_points, channels)`, float32. Where the lattice doesn't define the
        spline, outside `[1, n - 2]` along any axis, it is zero.
    """
    ndim = positions.shape[-1]
    last = ops.cast(lattice_shape, "float32") - 2.0
    # Rounding must not cut off what lies on the border.
    inside = (positions >= 1.0 - 1e-5) & (positions <= last + 1e-5)
    cells = ops.clip(ops.floor(positions), 1.0, last - 1.0)
    offsets = positions - cells
    first = ops.cast(cells, "int32") - 1
    strides = [1] * ndim
    for axis in reversed(range(ndim - 1)):
        strides[axis] = strides[axis + 1] * lattice_shape[axis + 1]
    lowest = sum(first[:, axis] * strides[axis] for axis in range(ndim))
    *outer, inner = [_weights(offsets[:, axis]) for axis in range(ndim)]

    # A loop, because XLA takes twice as long to compile all taps written out.
    def add_row(number: Tensor, total: Tensor) -> Tensor:
        places = [number // 4**axis % 4 for axis in reversed(range(ndim - 1))]
        start, weight = lowest, ops.ones_like(offsets[:, 0])
        for axis, place in enumerate(places):
            start = start + place * strides[axis]
            weight = weight * ops.take(outer[axis], place, axis=0)
        row = sum(
            inner[k][:, None] * ops.take(control_points, start + k, axis=0)
            for k in range(4)
        )
        return total + weight[:, None] * row

    total = ops.zeros((ops.shape(positions)[0], control_points.shape[-1]), "float32")
    total = ops.fori_loop(0, 4 ** (ndim - 1), add_row, total)
    return ops.where(ops.all(inside, axis=-1)[:, None], total, 0.0)


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
