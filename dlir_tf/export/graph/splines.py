"""One deformable stage on the fixed image's own grid, in its voxels."""

from typing import Any, NamedTuple

import tensorflow as tf

from dlir_tf.compute.compilation import compiled_island
from dlir_tf.export.graph.blocks import Block
from dlir_tf.export.graph.grid import WorkingGrid
from dlir_tf.export.graph.separable import along_axis, spline_weights

Tensor = Any


class Spline(NamedTuple):
    """A cubic B-spline whose lattice runs along the axes of the fixed image.

    Everything is in voxels of the fixed image and in the order of its axes: numbers
    that stay small however far away the world's origin is.

    Attributes:
        control_points: `(*lattice_shape, ndim)`, float32.
        scale: `(ndim,)`, float64: lattice steps per voxel; negative where the working
            grid runs the other way.
        shift: `(ndim,)`, float64: the lattice coordinates of voxel 0.
    """

    control_points: Tensor
    scale: Tensor
    shift: Tensor


def stage_spline(
    control_points: Tensor,
    spacing: tuple[int, ...],
    grid: WorkingGrid,
    to_working: Tensor,
) -> Spline:
    """Takes a stage's control points to the fixed image's voxels.

    Args:
        control_points: `(*lattice_shape, ndim)`, in voxels of the working grid.
        spacing: Working voxels between them, per axis.
        grid: The working grid.
        to_working: From fixed voxels to working voxels, float64.
    """
    ndim = len(spacing)
    # Which axis of the working grid runs along each axis of the image.
    order = tf.argsort(grid.axes)
    pairs = tf.stack([order, tf.range(ndim)], axis=1)
    steps = tf.gather_nd(to_working[:-1, :-1], pairs)
    cell = tf.gather(tf.constant(spacing, tf.float64), order)
    origin = tf.gather(to_working[:-1, -1], order)
    points = tf.transpose(control_points, tf.concat([order, [ndim]], axis=0))
    points = tf.gather(points, order, axis=-1) / tf.cast(steps, tf.float32)
    # Voxel x of the working grid has the lattice coordinate (x + 1.5 s + 0.5) / s.
    return Spline(points, steps / cell, (origin + 0.5) / cell + 1.5)


def on_block(spline: Spline, block: Block) -> Tensor:
    """Evaluates a spline on voxels of the image's grid, one product per axis.

    Returns:
        Displacements in voxels, `(ndim, num_voxels)`, float32.
    """
    ndim = spline.control_points.shape[-1]
    field = tf.transpose(spline.control_points, [ndim, *range(ndim)])
    lattice = tf.shape(spline.control_points)
    for axis in range(ndim):
        positions = spline.scale[axis] * block.axis(axis) + spline.shift[axis]
        weights = spline_weights(positions, lattice[axis])
        field = along_axis(field, tf.cast(weights, tf.float32), axis + 1)
    return tf.reshape(field, [ndim, -1])


def at_points(spline: Spline, points: Tensor) -> Tensor:
    """Evaluates a spline at points that an earlier stage has displaced.

    Args:
        spline: The stage.
        points: `(ndim, num_points)`, voxels of the fixed image, float32.

    Returns:
        Displacements in voxels, `(num_points, ndim)`, float32.
    """
    return _values_at(*_kernel_inputs(spline, points))


def jacobians_at(spline: Spline, points: Tensor) -> Tensor:
    """The derivatives of `x -> x + u(x)` at points; arguments as for `at_points`.

    Returns:
        `(num_points, ndim, ndim)`, float32: what is differentiated by along the last.
    """
    slopes = _slopes_at(*_kernel_inputs(spline, points))
    per_voxel = slopes * tf.cast(spline.scale, tf.float32)
    return per_voxel + tf.eye(tf.shape(per_voxel)[-1])


def _kernel_inputs(spline: Spline, points: Tensor) -> tuple[Tensor, ...]:
    scale, shift = (tf.cast(part, tf.float32) for part in (spline.scale, spline.shift))
    positions = points * scale[:, None] + shift[:, None]
    return spline.control_points, tf.transpose(positions)


@compiled_island
def _values_at(control_points: Tensor, positions: Tensor) -> Tensor:
    return _evaluate(control_points, positions, (None,))[0]


@compiled_island
def _slopes_at(control_points: Tensor, positions: Tensor) -> Tensor:
    return tf.stack(
        _evaluate(control_points, positions, range(positions.shape[-1])), -1
    )


def _evaluate(control_points: Tensor, positions: Tensor, along: Any) -> list[Tensor]:
    """Evaluates a spline, or its slopes along axes, at lattice coordinates.

    Four neighbours along the last axis lie together in one row, so that of 64 control
    points 16 rows are fetched: three times as fast as one by one.
    """
    shape, ndim = tf.shape(control_points), control_points.shape[-1]
    num_rows = shape[ndim - 1] - 3
    neighbours = [control_points[..., k : k + num_rows, :] for k in range(4)]
    rows = tf.reshape(tf.concat(neighbours, axis=-1), [-1, 4 * ndim])
    lattice, row = shape[:-1], tf.concat([shape[: ndim - 1], [num_rows]], axis=0)
    last = tf.cast(lattice - 3, tf.float32)
    cells = tf.clip_by_value(tf.floor(positions), 1, last)
    offsets = tf.unstack(positions - cells, axis=-1)
    strides = tf.math.cumprod(row, reverse=True, exclusive=True)
    lowest = tf.reduce_sum((tf.cast(cells, tf.int32) - 1) * strides, axis=-1)
    values, slopes = (
        [_weights(u) for u in offsets],
        [_weight_slopes(u) for u in offsets],
    )
    chosen = [
        [slopes[a] if a == axis else values[a] for a in range(ndim)] for axis in along
    ]
    totals: list[Tensor] = [0.0] * len(chosen)
    for taps in range(4 ** (ndim - 1)):
        places = [taps // 4**axis % 4 for axis in reversed(range(ndim - 1))]
        step = sum(place * strides[axis] for axis, place in enumerate(places))
        taken = tf.gather(rows, lowest + step)
        for number, weights in enumerate(chosen):
            factor = weights[0][places[0]]
            for axis, place in enumerate(places[1:], start=1):
                factor = factor * weights[axis][place]
            totals[number] += factor[:, None] * taken
    # Beyond the lattice a deformation is zero, as ITK has it.
    inside = (positions >= 1 - 1e-6) & (positions <= last + 1 + 1e-6)
    inside = tf.reduce_all(inside, axis=-1)[:, None]
    return [
        tf.where(inside, _sum_row(total, weights[-1], ndim), 0)
        for total, weights in zip(totals, chosen, strict=True)
    ]


def _sum_row(total: Tensor, weights: list[Tensor], ndim: int) -> Tensor:
    return sum(
        weights[k][:, None] * total[:, k * ndim : (k + 1) * ndim] for k in range(4)
    )


def _weights(u: Tensor) -> list[Tensor]:
    """Of the four neighbours, each `(num_points,)`."""
    v = 1.0 - u
    uu, vv = u * u, v * v
    middle = (0.5 * u - 1.0) * uu + 2 / 3, (0.5 * v - 1.0) * vv + 2 / 3
    return [vv * v / 6, *middle, uu * u / 6]


def _weight_slopes(u: Tensor) -> list[Tensor]:
    """Derivatives of the weights."""
    v = 1.0 - u
    return [-v * v / 2, (1.5 * u - 2.0) * u, (2.0 - 1.5 * v) * v, u * u / 2]
