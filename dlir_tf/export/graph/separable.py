"""Matrices that act along one axis of an array: interpolation, smoothing, splines."""

from typing import Any

import tensorflow as tf

from dlir_tf.splines.lattice import inside_axis, spline_window

Tensor = Any


def along_axis(array: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """Multiplies every line of an array along one axis by a matrix.

    Args:
        array: Any shape, `size` along the axis.
        matrix: `(new_size, size)`, same dtype.
        axis: From 0.

    Returns:
        The array's shape, but `new_size` along the axis.
    """
    shape, last = tf.shape(array), len(array.shape) - 1
    new_shape = tf.concat(
        [shape[:axis], tf.shape(matrix)[:1], shape[axis + 1 :]], axis=0
    )
    before, size = tf.reduce_prod(shape[:axis]), shape[axis]
    if axis == last:
        lines = tf.reshape(array, tf.stack([before, size]))
        product = tf.matmul(lines, matrix, transpose_b=True)
    elif axis == 0:
        product = tf.matmul(matrix, tf.reshape(array, tf.stack([size, -1])))
    else:
        product = tf.matmul(matrix, tf.reshape(array, tf.stack([before, size, -1])))
    result = tf.reshape(product, new_shape)
    result.set_shape([None] * (last + 1))
    return result


def linear_weights(positions: Tensor, size: Tensor) -> Tensor:
    """Makes the matrix that interpolates linearly along an axis, up to its ends.

    Args:
        positions: `(num,)`, float64.
        size: The length of the axis.

    Returns:
        `(num, size)`, float64.
    """
    last = tf.cast(size - 1, tf.float64)
    distances = _distances(tf.clip_by_value(positions, 0, last), size)
    return tf.maximum(1 - tf.abs(distances), 0)


def gaussian_weights(sigma: Tensor, size: Tensor) -> Tensor:
    """Makes the matrix of SciPy's Gaussian with `nearest` and `truncate=3`, square."""
    radius = tf.cast(3 * sigma + 0.5, tf.int32)
    places = tf.range(-radius, size + radius)
    steps = tf.cast(places[None] - tf.range(size)[:, None], tf.float64)
    # A sigma of 0 leaves every voxel what it was.
    bell = tf.exp(-0.5 * tf.square(steps / tf.maximum(sigma, 1e-9)))
    bell = tf.where(tf.abs(steps) <= tf.cast(radius, tf.float64), bell, 0)
    bell /= tf.reduce_sum(bell, axis=1, keepdims=True)
    # Beyond the ends, the outermost voxels go on.
    owners = tf.clip_by_value(places, 0, size - 1)
    return tf.transpose(tf.math.unsorted_segment_sum(tf.transpose(bell), owners, size))


def spline_weights(positions: Tensor, size: Tensor) -> Tensor:
    """Makes the matrix of cubic B-splines at lattice coordinates, 0 outside these.

    Args:
        positions: `(num,)`, float64; control point `m` has its peak at `m`.
        size: How many control points there are.

    Returns:
        `(num, size)`, float64.
    """
    last = tf.cast(size, tf.float64)
    inside = inside_axis(positions, last, rounding=1e-6)
    return tf.where(inside[:, None], spline_window(_distances(positions, size)), 0)


def _distances(positions: Tensor, size: Tensor) -> Tensor:
    return positions[:, None] - tf.cast(tf.range(size), tf.float64)
