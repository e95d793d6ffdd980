"""Matrices that keep lengths, or angles, as `dlir_tf.transforms.rigidity` has them."""

from typing import Any

import tensorflow as tf

from dlir_tf.export.graph.grid import homogeneous

Tensor = Any

# Each squares what is left of the distance from a rotation, 1e-4 at most in the end.
_ITERATIONS = 4


def nearest_rigid(matrix: Tensor, centre: Tensor, *, scaled: bool) -> Tensor:
    """The closest matrix whose linear part is a rotation.

    By the iterations of Newton and Schulz, which are products of matrices alone; they
    begin with what is a rotation already, but for rounding.

    Args:
        matrix: World-to-world matrix `(ndim + 1, ndim + 1)`, float64.
        centre: The point that goes where it went, `(ndim,)`.
        scaled: Whether a rotation times one scale will do.
    """
    linear = matrix[:-1, :-1]
    ndim = linear.shape[-1]
    scale = tf.abs(tf.linalg.det(linear)) ** (1 / ndim)
    rotation = linear / scale
    for _ in range(_ITERATIONS):
        squared = tf.matmul(rotation, rotation, transpose_a=True)
        rotation = rotation @ (1.5 * tf.eye(ndim, dtype=tf.float64) - 0.5 * squared)
    nearest = rotation * scale if scaled else rotation
    moved = tf.linalg.matvec(linear, centre) + matrix[:-1, -1]
    return homogeneous(nearest, moved - tf.linalg.matvec(nearest, centre))
