"""How much a pair would take on its working grid, estimated before the work.

A header in the wrong unit makes the grid millions of times larger than the image, or
leaves one voxel of it.
"""

import math
import warnings

import numpy as np

from dlir_tf.compute.memory import free_memory
from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.images import Grid

# What an exported model allows unless it's told otherwise: 512 voxels along each axis,
# more than the largest CT has at the spacings of the presets.
MAX_SERVED_VOXELS = 2**27
# What 32-bit integers count, in backends and in files.
MAX_VOXELS = 2**31 - 1
# At least, for a voxel of the working grid: both images, their masks, and the field.
PREPARED_BYTES_PER_VOXEL = 40
# What is needed beyond these: by one shot of a model, and by a refinement, for every
# voxel that its last steps see. benchmarks/registration_memory.py measures both: with
# the above, presets need 138 to 251, and 333 to 431, at 96 to 128 voxels an axis, and
# 84 in one shot of a larger grid.
ONE_SHOT_BYTES_PER_VOXEL = 44
REFINEMENT_BYTES_PER_VOXEL = 290
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
    takes, free = voxels * PREPARED_BYTES_PER_VOXEL, free_memory()
    if voxels > MAX_VOXELS or (free is not None and takes > free):
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


def bytes_per_voxel(config: Config, *, refined: bool) -> float:
    """What is needed at least for every voxel of a working grid, once a pair is on it.

    Args:
        config: Of the model, or the one that is refined by.
        refined: Whether it is for a refinement, or for one shot.
    """
    if not refined:
        return ONE_SHOT_BYTES_PER_VOXEL
    seen = 1 / math.prod(config.all_stages[-1].downsample)
    return max(ONE_SHOT_BYTES_PER_VOXEL, REFINEMENT_BYTES_PER_VOXEL * seen)


def check_work(shape: tuple[int, ...], config: Config, *, refined: bool) -> None:
    """Refuses work on a pair that memory can't hold.

    Args:
        shape: Of the working grid that the pair is on.
        config: Of the model, or the one that is refined by.
        refined: Whether it is a refinement, or one shot.

    Raises:
        InputError: If memory can't hold it.

    Warns:
        UserWarning: If a refinement takes more than half of the memory that is free.
    """
    takes = math.prod(shape) * bytes_per_voxel(config, refined=refined)
    free = free_memory()
    if free is None or takes <= _LARGE_SHARE * free:
        return
    what, cure = "the model", "a model of a larger spacing"
    if refined:
        what, cure = "the refinement", "a config of a larger spacing"
        cure += ", or refine nothing, but take what a model says"
    told = (
        f"{what} needs {_giga(takes)} of memory or more, of which {_giga(free)} are "
        f"free, for a working grid of {_by(np.asarray(shape))} voxels"
    )
    cure = f"close other programs, crop the images, or take {cure}"
    if takes > free:
        raise InputError(f"{told}; {cure}")
    if refined:
        warnings.warn(f"{told}; if it runs out, {cure}", stacklevel=2)


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
