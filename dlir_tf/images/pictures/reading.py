"""Reads PNG, TIFF and JPEG files.

Pillow decodes them, and complains of files that are damaged or cut. It keeps 8 bits of
colours of 16, which SimpleITK then reads.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf.compute.memory import free_memory
from dlir_tf.errors import InputError
from dlir_tf.files import name_for_itk
from dlir_tf.images.contents import Contents
from dlir_tf.images.formats import PICTURE_SUFFIXES, suffix_of
from dlir_tf.images.frame import flip_affine
from dlir_tf.images.grid import in_space
from dlir_tf.images.itk_files import quiet_itk
from dlir_tf.images.pictures.ome import SUFFIXES, read_ome
from dlir_tf.images.pictures.opacity import clear_value, depth_of, with_opacity
from dlir_tf.images.pictures.resolution import spacing_of, unstated

# Pixels by rows, a pixel's width and height in mm, and whether channels are colours.
Found = tuple[np.ndarray, tuple[float, float], bool]

# By Pillow's names: black and white, grey with and without transparency, a palette,
# colours, and grey values of 16 and 32 bits.
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "I;16", "I;16L", "I;16B", "I", "F")
_COLOURS_OF_PALETTES = {"P": "RGB", "PA": "RGBA"}
# The tags of EXIF and TIFF.
_ORIENTATION, _BITS, _SAMPLES, _EXTRA_SAMPLES = 274, 258, 277, 338
_MULTIPLIED = 1
_MEANING_OF_0, _FORMAT = 262, 339
_WHITE = 0
# By a TIFF file's bits and format (1: unsigned, 2: signed): the types of whole numbers
# that Pillow takes for others.
_TYPES = {(8, 2): np.int8, (16, 2): np.int16, (32, 1): np.uint32}
# For each pixel that is claimed: what is decoded, its copy, and what is looked at.
_BYTES_PER_PIXEL = 12
_MOST_PIXELS = 2**31 - 1


def load_picture(path: Path) -> Contents:
    """Loads a picture completely: grey values or colours, in the file's data type.

    A palette's colours take the place of its numbers, and black and white are 0 and
    255, as for ITK. How EXIF would have it turned is left aside, as ITK does, with a
    warning.

    Args:
        path: A PNG, TIFF or JPEG file, as its name says.

    Returns:
        `(columns, rows)`, or `(columns, rows, channels)`, with the place that
        `dlir_tf.images.pictures` says.

    Raises:
        InputError: If the file is damaged, of another format or of a kind that isn't
            read: several pages, CMYK and the like, or more than memory holds.
    """
    array, spacing, are_colours = _ome(path) or _plain(path)
    num_channels = 1 if array.ndim == 2 else array.shape[2]
    matrix = in_space(flip_affine(np.diag([*spacing, 1.0])))
    return Contents(
        array.swapaxes(0, 1),
        matrix,
        np.array([*spacing, 1.0]),
        num_components=num_channels,
        are_colours=are_colours,
    )


def _plain(path: Path) -> Found:
    """What Pillow finds."""
    with _told(path):
        # Not by PIL.Image.open, which refuses by a number of pixels, not by memory.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of tags that nobody here reads
            opened = _plugin(path)(path)
        with opened as picture:
            _check_size(path, picture)
            _check_kind(path, picture)
            return _pixels(path, picture), spacing_of(path, picture), True


def _ome(path: Path) -> Found | None:
    """What tifffile finds, if it's an OME-TIFF."""
    if not suffix_of(path, SUFFIXES):
        return None
    with _told(path):
        found = read_ome(path, free_memory())
    if found is None:
        return None
    array, spacing, are_colours = found
    return array, spacing or unstated(path), are_colours


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Says in one way what is wrong with a file, which is raised in many."""
    try:
        yield
    except (InputError, MemoryError):
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:300] or type(error).__name__
        raise InputError(
            f"{path}: can't be read as an image ({said}); it's damaged, incomplete, of "
            "a kind of picture that isn't read, or of another format than its name "
            "says, so save it again as PNG or TIFF"
        ) from error


def _plugin(path: Path) -> Any:
    """What reads the format of a file's name, and nothing else."""
    suffix = suffix_of(path, PICTURE_SUFFIXES)
    if suffix == ".png":
        from PIL.PngImagePlugin import PngImageFile

        return PngImageFile
    if suffix in (".tif", ".tiff"):
        from PIL.TiffImagePlugin import TiffImageFile

        return TiffImageFile
    from PIL.JpegImagePlugin import JpegImageFile

    return JpegImageFile


def _check_kind(path: Path, picture: Any) -> None:
    """Refuses what isn't one upright picture of grey values or colours."""
    pages = getattr(picture, "n_frames", 1)
    if pages > 1:
        raise InputError(
            f"{path}: must be one picture, but has {pages} pages (or frames); save the "
            "one that is meant in its own file"
        )
    if picture.mode not in _MODES:
        raise InputError(
            f"{path}: must be of grey values, RGB or RGBA, but is {picture.mode}; save "
            "it as RGB"
        )
    bands = len(picture.getbands())
    samples = bands if picture.format != "TIFF" else picture.tag_v2.get(_SAMPLES, 1)
    if samples != bands:  # Pillow would leave out the others
        raise InputError(
            f"{path}: must have grey values, RGB or RGBA, but has {samples} channels; "
            "save it as .nrrd or .mha, or each channel in its own file"
        )
    turned = picture.getexif().get(_ORIENTATION, 1) not in (0, 1)
    if turned and picture.format == "TIFF":
        raise InputError(
            f"{path}: must be stored upright, but its orientation tag has its rows in "
            "another order; save it upright"
        )
    if turned:
        warnings.warn(
            f"{path}: EXIF says that it's to be turned; it was taken as it is stored, "
            "as ITK does, and so will the result be",
            stacklevel=6,
        )


def _check_size(path: Path, picture: Any) -> None:
    """Refuses what memory can't hold, before anything of it is decoded."""
    width, height = picture.size
    takes, free = width * height * _BYTES_PER_PIXEL, free_memory()
    if width * height > _MOST_PIXELS or (free is not None and takes > free):
        there = "" if free is None else f", of which {free / 1e9:.3g} GB are free"
        raise InputError(
            f"{path}: says it has {width}×{height} pixels, which take "
            f"{takes / 1e9:.3g} GB of memory or more{there}; crop it, or save it at a "
            "lower resolution"
        )


def _pixels(path: Path, picture: Any) -> np.ndarray:
    """All pixels, `(rows, columns)` or `(rows, columns, channels)`."""
    wide = _has_wide_colours(path, picture)
    picture.load()
    if picture.mode in _COLOURS_OF_PALETTES:
        transparent = "transparency" in picture.info
        picture = picture.convert(
            "RGBA" if transparent else _COLOURS_OF_PALETTES[picture.mode]
        )
    array = np.asarray(picture)
    if wide:
        tags = picture.tag_v2 if picture.format == "TIFF" else {}
        multiplied = _MULTIPLIED in tags.get(_EXTRA_SAMPLES, ())
        clear = clear_value(picture)
        return _wide_colours(path, array, comparable=not multiplied, clear=clear)
    if array.dtype == bool:
        array = array.astype(np.uint8) * np.uint8(255)
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    if picture.format == "TIFF" and array.ndim == 2:
        return _as_stated(picture, array)
    return with_opacity(array, clear_value(picture), depth_of(path, picture))


def _as_stated(picture: Any, array: np.ndarray) -> np.ndarray:
    """Grey values of a TIFF file in the type that it states, 0 being black."""
    tags = picture.tag_v2
    stated = _TYPES.get((tags.get(_BITS, (1,))[0], tags.get(_FORMAT, (1,))[0]))
    if stated is not None and array.dtype.kind in "iu":
        return array.astype(stated)  # by the same bits
    if array.dtype == np.uint16 and tags.get(_MEANING_OF_0) == _WHITE:
        return np.uint16(65535) - array  # Pillow does so for 8 bits, not for 16
    return array


def _has_wide_colours(path: Path, picture: Any) -> bool:
    """Whether each colour has 16 bits."""
    if picture.mode not in ("LA", "RGB", "RGBA"):
        return False
    if picture.format == "TIFF":
        return max(picture.tag_v2.get(_BITS, (8,))) > 8
    return depth_of(path, picture) == 16


def _wide_colours(
    path: Path, upper: np.ndarray, *, comparable: bool, clear: np.ndarray | None
) -> np.ndarray:
    """Reads colours of 16 bits, of which Pillow has the upper 8.

    ITK adds the opacity where one of them is transparent. Where a TIFF file has them
    multiplied by the opacity, Pillow divides them by it.
    """
    import SimpleITK as sitk

    with quiet_itk():
        array = sitk.GetArrayFromImage(sitk.ReadImage(name_for_itk(path)))
    added = 0 if clear is None else 1
    expected = (*upper.shape[:-1], upper.shape[-1] + added)
    if array.shape != expected or array.dtype != np.uint16:
        raise InputError(
            f"{path}: has {upper.shape[-1]} channels of 16 bits each, of a kind that "
            "isn't read; save it as RGB, or with 8 bits a channel"
        )
    colours = array[..., : upper.shape[-1]]
    if comparable and not np.array_equal(colours >> 8, upper):
        raise InputError(
            f"{path}: two programs read different colours from it; save it again as PNG"
        )
    return np.asarray(array)
