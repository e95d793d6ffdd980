"""Values of an image at places between its voxels, 0 outside of it."""

from typing import Any

import tensorflow as tf

from dlir_tf.compute.compilation import compiled_island
from dlir_tf.layers.sampling import sample_linear, sample_nearest

Tensor = Any


def inside_image(positions: Tensor, size: Tensor) -> Tensor:
    """Which positions lie within an image, half a voxel around it included.

    Args:
        positions: `(ndim, num_points)`, voxel coordinates, float64.
        size: The image's shape, `(ndim,)`, int32.
    """
    # A millionth of a voxel forgives what the matrix inverse rounds.
    last = tf.cast(size, tf.float64)[:, None] - 0.5 + 1e-6
    return tf.reduce_all((positions >= -0.5 - 1e-6) & (positions <= last), axis=0)


def linear_at(image: Tensor, positions: Tensor) -> Tensor:
    """Interpolates linearly; the outermost values reach to their voxels' edges.

    Args:
        image: `size`, float32.
        positions: `(ndim, num_points)`, voxel coordinates, float64.

    Returns:
        `(num_points,)`, float32, 0 outside the image.
    """
    inside = inside_image(positions, tf.shape(image))
    return tf.where(inside, clamped_at(image, positions), 0)


def clamped_at(image: Tensor, positions: Tensor) -> Tensor:
    """Interpolates linearly; the border goes on beyond it. As `linear_at`."""
    places = tf.transpose(tf.cast(positions, tf.float32))
    return _linear(image[None, ..., None], places[None])[0, :, 0]


def nearest_at(labels: Tensor, positions: Tensor) -> Tensor:
    """Takes the nearest voxel's label, halves rounded up; as `linear_at`."""
    whole = tf.floor(positions + 0.5)
    places = tf.transpose(tf.cast(whole, tf.float32))
    values = _nearest(labels[None, ..., None], places[None])[0, :, 0]
    return tf.where(inside_image(positions, tf.shape(labels)), values, 0)


@compiled_island
def _linear(image: Tensor, places: Tensor) -> Tensor:
    return sample_linear(image, places)


@compiled_island
def _nearest(labels: Tensor, places: Tensor) -> Tensor:
    return sample_nearest(labels, places)
