"""One deformable stage on the fixed image's own grid, in its voxels."""

from typing import Any, NamedTuple

import tensorflow as tf

from dlir_tf.compute.compilation import compiled_island
from dlir_tf.export.graph.blocks import Block
from dlir_tf.export.graph.grid import WorkingGrid
from dlir_tf.export.graph.separable import along_axis, spline_weights
from dlir_tf.splines.cubic import evaluate_cells
from dlir_tf.splines.lattice import inside_axis, lattice_coordinate

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
    return Spline(points, steps / cell, lattice_coordinate(origin, cell))


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
    """Evaluates a spline, or its slopes along axes, at lattice coordinates."""
    shape, ndim = tf.shape(control_points), control_points.shape[-1]
    num_rows = shape[ndim - 1] - 3
    neighbours = [control_points[..., k : k + num_rows, :] for k in range(4)]
    rows = tf.reshape(tf.concat(neighbours, axis=-1), [-1, 4 * ndim])
    size = tf.cast(shape[:-1], tf.float32)
    cells = tf.clip_by_value(tf.floor(positions), 1, size - 3)
    values = evaluate_cells(
        lambda index: tf.gather(rows, index),
        tf.unstack(shape, ndim + 1)[:-1],
        tf.unstack(tf.cast(cells, tf.int32), axis=-1),
        tf.unstack(positions - cells, axis=-1),
        along,
    )
    # Beyond the lattice a deformation is zero, as ITK has it.
    inside = tf.reduce_all(inside_axis(positions, size, rounding=1e-6), axis=-1)
    return [tf.where(inside[:, None], value, 0) for value in values]
