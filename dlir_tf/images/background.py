"""What an image shows where it isn't: the value of voxels from outside of it.

0 is black in most images, but water in a CT, and mid-grey in an image that was scaled
to mean 0. So the value is chosen by the image itself (`"auto"`):

- an image that is padded, or stands before an even background, goes on like that: if
  one value makes up half of the voxels on the two faces across an axis, it is that one
  (slices of a body have it at their sides, though not at head and feet);
- otherwise a CT is surrounded by air, -1000 HU. It's one if it goes below -500, as air
  and lungs do, but not below -4096, and if at least a hundredth of it is within 150 HU
  of air or of water each;
- otherwise it's 0, or the smallest value where that is negative.
"""

from typing import Literal

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images.image import Image

FillValue = float | Literal["auto"]

_LEAST_SHARE_OF_FACES = 0.5
_AIR, _WATER = -1000.0, 0.0
_LOWEST_OF_CT, _HIGHEST_OF_AIR = -4096, -500
_NEAR, _LEAST_SHARE = 150, 0.01
_MOST_VOXELS = 1_000_000  # looked at, evenly over the image


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
        return _background(image.array)
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


def _background(array: np.ndarray) -> float:
    if array.dtype.kind not in "iuf" or not array.size:
        return 0.0
    padding = [_filling(array.take((0, -1), axis)) for axis in range(array.ndim)]
    count, value = max(padding)
    if count:
        return value
    return _AIR if _is_ct(array) else min(0.0, float(array.min()))


def _filling(faces: np.ndarray) -> tuple[int, float]:
    """How often the value occurs that makes up half of two faces, and the value."""
    values, counts = np.unique(faces, return_counts=True)
    most = counts.argmax()
    if counts[most] < _LEAST_SHARE_OF_FACES * faces.size:
        return 0, 0.0
    return int(counts[most]), float(values[most])


def _is_ct(array: np.ndarray) -> bool:
    if not _LOWEST_OF_CT <= array.min() <= _HIGHEST_OF_AIR:
        return False
    flat = array.ravel()
    some = flat[:: max(1, flat.size // _MOST_VOXELS)].astype(np.float64)
    return all(
        np.mean(np.abs(some - value) <= _NEAR) >= _LEAST_SHARE
        for value in (_AIR, _WATER)
    )
