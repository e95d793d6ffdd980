"""Colours and other images of several numbers a voxel: what of them is looked at.

Three or four channels of whole numbers that aren't negative are taken for red, green,
blue and perhaps opacity. They are registered by their luminance, as Rec. 601 weighs it
for gamma-corrected colours and Pillow and ITK compute it: 0.299 red, 0.587 green and
0.114 blue. Two such channels are grey values and opacity, registered by the first.
Of others, such as the stains of a fluorescence microscope, one must be chosen. Opacity
isn't looked at, but moves like every other channel.
"""

import warnings
from pathlib import Path

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images.contents import Contents
from dlir_tf.images.image import Image

LUMINANCE = (0.299, 0.587, 0.114)
# Rows of a large picture that are worked on together.
_ROWS = 256


def with_channels_last(contents: Contents) -> np.ndarray | None:
    """The numbers of every voxel along the last axis; `None` if there is only one.

    NIfTI's colours are numbers with names, in one voxel.
    """
    array = contents.array
    if array.dtype.names is not None:
        kinds = {array.dtype[name] for name in array.dtype.names}
        if len(kinds) != 1:
            return None
        kind, count = kinds.pop(), len(array.dtype.names)
        plain = np.ascontiguousarray(array).view(kind)
        return plain.reshape(*array.shape, count)
    return array if contents.num_components > 1 else None


def one_number(
    path: Path,
    channels: np.ndarray,
    channel: int | None,
    *,
    are_colours: bool = True,
    needed: bool = True,
) -> np.ndarray:
    """What of several channels is looked at, by the rule of this module.

    Args:
        path: The file, for messages.
        channels: `(*shape, num_channels)`.
        channel: The one to take, counted from 1; or `None`.
        are_colours: Whether three or four channels can be colours.
        needed: Whether it is looked at at all. If not, the first channel does where
            none is chosen; vectors are refused all the same.

    Returns:
        `shape`, in the dtype of the channels; luminance is rounded to it.

    Raises:
        InputError: If there is no such channel, or one must be chosen.
    """
    count = channels.shape[-1]
    if channel is not None:
        if not 1 <= channel <= count:
            raise InputError(
                f"{path}: has {count} channels, so --channel (channel in Python) must "
                f"be from 1 to {count}. Received: {channel}"
            )
        return channels[..., channel - 1]
    if channels.dtype.kind != "u":
        raise InputError(
            f"{path}: voxels must be grey values, labels or colours, but are {count} "
            f"numbers each of type {channels.dtype} (vectors, say); choose one of them "
            "with register's --channel (channel in Python), or convert the file"
        )
    if count in (3, 4) and are_colours:
        return luminance(channels)
    if needed and (count > 2 or not are_colours):
        raise InputError(
            f"{path}: has {count} channels, which are no colours; choose the one to "
            "register by with --channel (channel in Python)"
        )
    return channels[..., 0]


def warn_of_channel(
    image: Image, channel: int | None, name: str = "the moving image"
) -> None:
    """Warns of an image that isn't looked at by the channel that a model was made for.

    Args:
        image: With or without channels.
        channel: Counted from 1; `None` if it was made for luminance and grey values.
        name: What the image is called.
    """
    if channel is None or image.channels is None:
        return
    count = image.channels.shape[-1]
    if channel <= count:
        meant = image.channels[..., channel - 1]
        if np.array_equal(meant, image.array):
            return
    warnings.warn(
        f"the model was made for channel {channel}, but {name}, which has {count}, is "
        "looked at otherwise; give it as --channel (channel in Python)",
        stacklevel=3,
    )


def luminance(channels: np.ndarray) -> np.ndarray:
    """The luminance of colours, `(*shape, 3 or more)`, rounded to their dtype.

    Example:

    >>> luminance(np.array([[[255, 255, 255], [255, 0, 0]]], np.uint8))
    array([[255,  76]], dtype=uint8)
    """
    result = np.empty(channels.shape[:-1], channels.dtype)
    weights = np.asarray(LUMINANCE, np.float32)
    for start in range(0, len(result), _ROWS):
        rows = slice(start, start + _ROWS)
        colours = channels[rows, ..., :3].astype(np.float32)
        result[rows] = np.rint(colours @ weights)
    return result
