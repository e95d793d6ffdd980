"""Where the lungs are in a CT of the chest: air within the body."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.images.hounsfield import is_ct
from dlir_tf.images.padding import padding_voxels

_HIGHEST_OF_LUNG = (
    -400
)  # HU; Hu, Hoffman and Reinhardt (2001) end between -500 and -300
_LEAST_ML = 50.0  # of a newborn; other gas in a body is less
_CLOSED_MM = 6.0
_MOST_FACES = 2  # of the image that a lung reaches, if it is cut off


def find_lungs(image: Image) -> NDArray[np.bool_]:
    """Finds the lungs in a CT by their density, vessels within them included.

    What is as light as lungs is one, unless it reaches three faces of the image or two
    opposite ones, as the air around a body does, and a couch; what scanners pad their
    field with counts as a face.

    Args:
        image: 3-d, in Hounsfield units.

    Returns:
        True in the lungs, of the image's shape. The windpipe is a part of them.

    Raises:
        InputError: If it isn't such an image, or no lungs are in it.
    """
    check_hounsfield(image)
    padding = padding_voxels(image)
    if padding is None:
        padding = np.zeros(image.shape, bool)
    smooth = ndimage.gaussian_filter(image.array.astype(np.float32), 0.7)
    light = (smooth < _HIGHEST_OF_LUNG) & ~padding
    parts, _ = ndimage.label(ndimage.binary_erosion(light))
    least = 1000 * _LEAST_ML / float(np.prod(image.spacing))
    sizes = np.bincount(parts.ravel())
    large = [n for n in range(1, len(sizes)) if sizes[n] >= least]
    lungs = [n for n in large if not _is_around(parts == n, padding)]
    if not lungs:
        raise InputError(
            f"no lungs were found: nothing of {_LEAST_ML:g} ml or more that is lighter "
            f"than {_HIGHEST_OF_LUNG} HU lies within a body; give a mask of the lungs"
        )
    found = ndimage.binary_dilation(np.isin(parts, lungs), mask=light)
    # Vessels are as dense as muscle: what lungs surround is a part of them.
    times = max(1, round(_CLOSED_MM / max(image.spacing)))
    closed = ndimage.binary_closing(np.pad(found, times), iterations=times)
    inner = slice(times, -times)
    return np.asarray(ndimage.binary_fill_holes(closed[inner, inner, inner] | found))


def check_hounsfield(image: Image) -> None:
    """Refuses what isn't a CT in Hounsfield units.

    Raises:
        InputError: If it is 2-d, or isn't both as light as air and as dense as water.
    """
    if image.ndim != 3:
        raise InputError(
            f"a CT of a chest must be 3-d. Received: an image of shape {image.shape}"
        )
    if not is_ct(image.array):
        low, high = image.array.min(), image.array.max()
        raise InputError(
            "a CT of a chest must be in Hounsfield units, with air near -1000 and "
            f"tissue near 0. Received: values from {low:g} to {high:g}"
        )


def _is_around(part: NDArray[np.bool_], padding: NDArray[np.bool_]) -> bool:
    """Whether a part of an image reaches more of its faces than a lung does."""
    # An erosion left nothing at the faces themselves.
    ends = [[part.take(end, axis).any() for end in (1, -2)] for axis in range(3)]
    near = ndimage.binary_dilation(part, iterations=3) & padding
    opposite = any(low and high for low, high in ends)
    return opposite or int(np.sum(ends)) + int(near.any()) > _MOST_FACES
