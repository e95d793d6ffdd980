"""Landmarks in training: on the working grid, and wherever their images go."""

from typing import Any

import numpy as np
import tensorflow as tf

from dlir_tf.layers.sampling import sample_linear
from dlir_tf.training.sample import Sample

Tensor = Any

# What batches call them, all or none: voxel coordinates, `(batch, num_points, ndim)`,
# and which of them are there, `(batch, num_points)`, 0 or 1.
POINTS = ("fixed_points", "moving_points", "point_weights")

# Leaves a thousandth of a voxel where control points are as far as they may go.
_NUM_ITERATIONS = 30


def crop_points(
    sample: Sample, start: tuple[int, ...], size: tuple[int, ...], num_points: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the `POINTS` of a part of a pair's images.

    Args:
        sample: The pair, with landmarks or without.
        start: The part's first voxel.
        size: Its shape; landmarks whose fixed point lies outside don't count.
        num_points: How many there are to return.
    """
    fixed, moving = np.zeros((2, num_points, len(size)), np.float32)
    weights = np.zeros(num_points, np.float32)
    if sample.fixed_points is not None and sample.moving_points is not None:
        there, first = slice(0, len(sample.fixed_points)), np.array(start, np.float32)
        fixed[there] = sample.fixed_points - first
        moving[there] = sample.moving_points - first
        inside = np.all((fixed >= 0) & (fixed <= np.array(size) - 1), axis=1)
        weights[there] = inside[there]
    return fixed, moving, weights


def pull_back(points: Tensor, matrix: Tensor) -> Tensor:
    """Where points come to lie when their image is warped by a matrix.

    Args:
        points: `(batch, num_points, ndim)`, in voxels of the image.
        matrix: `(batch, ndim, ndim + 1)`, from voxels of the warped image to those
            of the image.

    Returns:
        `(batch, num_points, ndim)`, in voxels of the warped image.
    """
    shifted = tf.linalg.matrix_transpose(points - matrix[:, None, :, -1])
    return tf.linalg.matrix_transpose(tf.linalg.solve(matrix[..., :-1], shifted))


def undo_displacement(points: Tensor, ddf: Tensor) -> Tensor:
    """Where points come to lie when their image is warped by a field.

    Args:
        points: `(batch, num_points, ndim)`, in voxels of the image.
        ddf: `(batch, *size, ndim)`, in voxels; smooth, and one-to-one.

    Returns:
        `(batch, num_points, ndim)`: the points `x` where `x + ddf(x)` are those.
    """
    found = points
    for _ in range(_NUM_ITERATIONS):
        # Half of the way: where a field compresses, whole steps would overshoot.
        found += 0.5 * (points - found - sample_linear(ddf, found))
    return found
