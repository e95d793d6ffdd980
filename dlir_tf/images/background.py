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

The channels of an image go on like its rim (two pixels, or slices, on every face) where
that is even, as glass around a section of tissue is: each by the median of its rim, if
nine in ten of all values lie within a tenth of the channel's range around it. Where one
channel's rim isn't even, all are 0.
"""

from typing import Literal

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images.hounsfield import USUAL_PADDING, is_ct
from dlir_tf.images.image import Image
from dlir_tf.images.padding import find_padding

FillValue = float | Literal["auto"]

_LEAST_SHARE_OF_FACES = 0.5
_RIM, _LEAST_SHARE_OF_RIM, _EVEN = 2, 0.9, 0.1


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
    elif dtype.kind == "f" and abs(value) > float(np.finfo(dtype).max):
        raise InputError(
            f"a fill value of {value:g} doesn't exist in the image's type {dtype}, or "
            "is infinite; choose another one, or nan for none"
        )
    return float(value)


def channel_fill_values(value: FillValue, image: Image) -> tuple[float, ...] | None:
    """The values for channels of voxels that come from outside an image.

    Args:
        value: A number, for all of them, or `"auto"`, by the rule of this module.
        image: Whose fill value is known to suit (see `chosen_fill_value`).

    Returns:
        One for each channel; `None` if there are no channels.
    """
    if image.channels is None:
        return None
    count = image.channels.shape[-1]
    if not isinstance(value, str):
        return (float(value),) * count
    found = [_even_rim(image.channels[..., number]) for number in range(count)]
    if any(each is None for each in found):
        return (0.0,) * count
    return tuple(each for each in found if each is not None)


def told(value: float, channels: tuple[float, ...] | None) -> str | None:
    """Such values in words; `None` if they are all 0.

    Args:
        value: For the image's array.
        channels: For its channels, which count instead if there are any.
    """
    values = (value,) if channels is None else channels
    if not any(values):
        return None
    return ", ".join(f"{each:g}" for each in values)


def _even_rim(array: np.ndarray) -> float | None:
    """The median of an array's rim, where that is even."""
    rim = np.concatenate(
        [
            array.take((*range(_RIM), *range(-_RIM, 0)), axis, mode="wrap").ravel()
            for axis in range(array.ndim)
            if array.shape[axis] > 2 * _RIM
        ]
        or [array.ravel()]
    ).astype(np.float64)
    middle, extent = np.median(rim), float(array.max()) - float(array.min())
    near = np.mean(np.abs(rim - middle) <= _EVEN * extent)
    return float(np.rint(middle)) if near >= _LEAST_SHARE_OF_RIM else None


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
