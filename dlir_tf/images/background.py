"""What an image shows where it isn't: the value of voxels from outside of it.

0 is black in most images, but water in a CT, and mid-grey in an image that was scaled
to mean 0. So the value is chosen by the image itself (`"auto"`):

- an image with voxels that have no value (NaN) has none outside either;
- a CT whose padding is known (see `dlir_tf.images.padding`) goes on with that;
- another image that is padded, or stands before an even background, goes on like that:
  if one value makes up half of the voxels on the two faces across an axis, it is that
  one (slices of a body have it at their sides, though not at head and feet);
- otherwise a CT (see `dlir_tf.images.hounsfield`) is surrounded by -1024, as scanners
  pad it: air, and no more;
- otherwise it's 0, or the smallest value where that is negative.
"""

from typing import Literal

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images.hounsfield import USUAL_PADDING, is_ct
from dlir_tf.images.image import Image
from dlir_tf.images.padding import find_padding

FillValue = float | Literal["auto"]

_LEAST_SHARE_OF_FACES = 0.5


def chosen_fill_value(value: FillValue, image: Image) -> float:
    """The value for voxels that come from outside an image.

    Args:
        value: A number, which its dtype must have, or `"auto"`, by the rule of this
            module.
        image: Not one of labels, for which it is always 0.

    Raises:
        InputError: If it is another word, or a number that the image's dtype doesn't
            have.

    Example:

    >>> image = Image(np.full((4, 5), -1024, np.int16), np.eye(3))
    >>> chosen_fill_value("auto", image), chosen_fill_value(7, image)
    (-1024.0, 7.0)
    """
    if value == "auto":
        return _background(image)
    if isinstance(value, str):
        raise InputError(f"fill_value: must be a number or auto. Received: {value!r}")
    dtype = image.array.dtype
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        if not (limits.min <= value <= limits.max and value == int(value)):
            raise InputError(
                f"a fill value of {value:g} doesn't exist in the image's type {dtype}, "
                f"whole numbers from {limits.min} to {limits.max}; choose another one"
            )
    return float(value)


def _background(image: Image) -> float:
    array = image.array
    if array.dtype.kind not in "iuf" or not array.size:
        return 0.0
    known = find_padding(image)
    if known is not None:
        return known.value
    padding = [_filling(array.take((0, -1), axis)) for axis in range(array.ndim)]
    count, value = max(padding)
    if count:
        return value
    return USUAL_PADDING if is_ct(array) else min(0.0, float(array.min()))


def _filling(faces: np.ndarray) -> tuple[int, float]:
    """How often the value occurs that makes up half of two faces, and the value."""
    values, counts = np.unique(faces, return_counts=True)
    most = counts.argmax()
    if counts[most] < _LEAST_SHARE_OF_FACES * faces.size:
        return 0, 0.0
    return int(counts[most]), float(values[most])
