"""The same image in another file: its axes in another order and direction."""

import numpy as np

from dlir_tf.images import Image


def store_otherwise(image, order, flipped):
    """Returns the same image in the world.

    Args:
        image: The image.
        order: Of its axes.
        flipped: Of each axis in the new order, whether it runs the other way.
    """
    change = np.eye(image.ndim + 1)
    change[:-1, :-1] = np.eye(image.ndim)[:, order]
    array = np.transpose(image.array, order)
    for axis in np.flatnonzero(flipped):
        array = np.flip(array, axis)
        change[:-1, -1] += change[:-1, axis] * (array.shape[axis] - 1)
        change[:-1, axis] *= -1
    return Image(array, image.affine @ change)
