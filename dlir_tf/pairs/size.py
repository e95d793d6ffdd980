"""How much a pair would take on its working grid, estimated before any work.

A header in the wrong unit makes the grid millions of times larger than the image, or
leaves one voxel of it.
"""

import math
import warnings

import numpy as np

from dlir_tf.compute.memory import free_memory
from dlir_tf.errors import InputError
from dlir_tf.images import Grid

# What an exported model allows unless it's told otherwise: 512 voxels along each axis,
# more than the largest CT has at the spacings of the presets.
MAX_SERVED_VOXELS = 2**27
# What 32-bit integers count, in backends and in files.
_MAX_VOXELS = 2**31 - 1
# At least, for a pair in one shot: both images, their masks, and the field.
_BYTES_PER_VOXEL = 40
_SECONDS_PER_VOXEL = 4e-7
_LARGE_SHARE = 0.5
# A grid of fewer voxels along an axis than this shows nothing of an image that has this
# many times more.
FEWEST = 4
_SPECK = 0.1
COARSEST = 8


def check_room(
    padded: np.ndarray, size: np.ndarray, spacing: np.ndarray, step: np.ndarray
) -> None:
    """Refuses a working grid that memory can't hold.

    All along the axes of the grid:

    Args:
        padded: Its voxels; floats, as they may be many.
        size: The fixed image's voxels.
        spacing: The fixed image's, in mm.
        step: The grid's, in mm.

    Raises:
        InputError: If it is.

    Warns:
        UserWarning: If it takes more than half of the memory that is free.
    """
    voxels = math.prod(map(float, padded))
    takes, free = voxels * _BYTES_PER_VOXEL, free_memory()
    if voxels > _MAX_VOXELS or (free is not None and takes > free):
        there = "" if free is None else f", of which {_giga(free)} are free"
        raise InputError(
            f"the working grid would have {_by(padded)} voxels, which take "
            f"{_giga(takes)} of memory or more{there}: {_told(size, spacing, step)}; "
            "if the header's spacing isn't in mm, mend it; or crop the image, or take "
            "a config of a larger spacing"
        )
    if free is not None and takes > _LARGE_SHARE * free:
        minutes = voxels * _SECONDS_PER_VOXEL / 60
        warnings.warn(
            f"the working grid has {_by(padded)} voxels, which take {_giga(takes)} of "
            f"the {_giga(free)} of memory that are free, and {minutes:.0f} minutes or "
            f"more: {_told(size, spacing, step)}",
            stacklevel=2,
        )


def check_detail(size: np.ndarray, spacing: np.ndarray, step: np.ndarray) -> None:
    """Refuses a working grid that is next to nothing of the image that it covers.

    Args:
        size: The fixed image's voxels, along the axes of the grid.
        spacing: Likewise, in mm.
        step: The grid's, in mm.

    Raises:
        InputError: If it is.
    """
    needed = np.maximum(np.ceil(size * spacing / step - 0.01), 1)
    if ((needed < FEWEST) & (needed * COARSEST <= size)).any():
        raise InputError(
            f"the working grid would have {_by(needed)} voxels, next to nothing of the "
            f"image's {_by(size)}: {_told(size, spacing, step)}; if the header's "
            "spacing isn't in mm, mend it, or take a config of a smaller spacing (null "
            "keeps the image's own)"
        )


def check_cover(name: str, image: Grid, matrix: np.ndarray) -> None:
    """Refuses an image that is a speck on the working grid.

    Its voxels would be smoothed by a kernel that is many times wider than the image,
    which takes hours and leaves nothing.

    Args:
        name: Whose it is, `fixed` or `moving`.
        image: Where its voxels lie.
        matrix: From voxels of the working grid to the image's.

    Raises:
        InputError: If it covers less than a tenth of a voxel along an axis.
    """
    covers = np.asarray(image.shape) / np.linalg.norm(matrix[:-1, :-1], axis=1)
    if (covers < _SPECK).any():
        raise InputError(
            f"the {name} image covers {_by(covers)} voxels of the working grid, which "
            f"is nothing to compare: it is {_by(image.extent)} mm wide, with voxels of "
            f"{_by(np.asarray(image.spacing))} mm by its header; if they aren't mm, "
            "mend the header"
        )


def _told(size: np.ndarray, spacing: np.ndarray, step: np.ndarray) -> str:
    return (
        f"the fixed image is {_by(size * spacing)} mm wide, with voxels of "
        f"{_by(spacing)} mm by its header, and the config works at {_by(step)} mm"
    )


def _by(numbers: np.ndarray) -> str:
    return "×".join(
        f"{number:.10g}" if number % 1 == 0 else f"{number:.3g}" for number in numbers
    )


def _giga(num_bytes: float) -> str:
    return f"{num_bytes / 1e9:.3g} GB"
