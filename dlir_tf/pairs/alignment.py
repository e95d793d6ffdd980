"""How two images are laid onto each other before any registration."""

import numpy as np
from scipy import ndimage

from dlir_tf.images import Image


def initial_alignment(fixed: Image, moving: Image, method: str) -> np.ndarray:
    """World-to-world matrix from fixed to moving, before any registration.

    Args:
        fixed: Intensities at least 0.
        moving: Likewise.
        method: `header` trusts the world coordinates, `centers` lays the centres
            of the two volumes onto each other, `mass` the centres of intensity.
    """
    matrix = np.eye(fixed.ndim + 1)
    if method != "header":
        place = _centre_of_mass if method == "mass" else _centre
        matrix[:-1, -1] = place(moving) - place(fixed)
    return matrix


def _centre(image: Image) -> np.ndarray:
    return image.grid.centre


def _centre_of_mass(image: Image) -> np.ndarray:
    return image.grid.to_world(np.asarray(ndimage.center_of_mass(image.array)))
