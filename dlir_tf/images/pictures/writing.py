"""Writes PNG, TIFF and JPEG files.

Pillow writes them, but for colours of 16 bits and whole numbers with a sign or of 32
bits, which SimpleITK does. What a file can't hold is refused or, of its place in the
world, warned of.
"""

import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.files import known_as, name_for_itk, replacing
from dlir_tf.images.formats import (
    PICTURE_SUFFIXES,
    WRITABLE_SUFFIXES,
    suffix_of,
)
from dlir_tf.images.frame import flip_affine
from dlir_tf.images.grid import PLANE, column_norms, is_upright
from dlir_tf.images.itk_files import incomplete, itk_writing, to_itk, with_channels
from dlir_tf.images.pictures.resolution import (
    MM_PER_INCH,
    SCALE_CHUNK,
    jpeg_density,
    scale_chunk,
)

_JPEG_QUALITY = 95
_PNG_START = 8 + 25
_CHANNELS = {
    ".png": (1, 2, 3, 4),
    ".tif": (1, 3, 4),
    ".tiff": (1, 3, 4),
    ".jpg": (1, 3),
    ".jpeg": (1, 3),
}
# Of grey values, in TIFF alone.
_BY_ITK = ("int8", "int16", "int32", "uint32")
# Relative: over 10,000 pixels, half a pixel.
_OFF = 5e-5


def check_picture(path: Path, shape: tuple[int, ...], num_channels: int = 1) -> None:
    """Refuses an image that no picture of this name holds.

    Args:
        path: The file to write.
        shape: Of the image, without channels.
        num_channels: Numbers in each voxel.

    Raises:
        InputError: If it is one; names of other formats are passed over.
    """
    suffix = suffix_of(path, PICTURE_SUFFIXES)
    if suffix is None:
        return
    others = f"{', '.join(WRITABLE_SUFFIXES[:-1])} or {WRITABLE_SUFFIXES[-1]}"
    if len(shape) != 2 and shape[2:] != (1,):
        raise InputError(
            f"a picture holds 2-d images, but this one has the shape {shape}; choose a "
            f"name that ends with {others}",
            place=path,
        )
    if num_channels not in _CHANNELS[suffix]:
        raise InputError(
            f"a {suffix} picture can't hold {num_channels} channels; choose a name "
            f"that ends with .png or, for more than 4, {others}",
            place=path,
        )


def check_values(path: Path, array: np.ndarray) -> None:
    """Refuses values that no picture of this name holds.

    Args:
        path: The file to write.
        array: Like the one to write, and with its least and largest values: a 2-d
            image, or one of a slice, with channels behind if there are any.

    Raises:
        InputError: If there are such; names of other formats are passed over.
    """
    suffix = suffix_of(path, PICTURE_SUFFIXES)
    if suffix is not None:
        _storable(path, np.squeeze(array), suffix)


def save_picture(path: Path, array: np.ndarray, affine: np.ndarray) -> None:
    """Saves a picture, with the size of its pixels.

    JPEG is lossy, which is warned of. So is an origin, or axes, that are lost: a
    picture has none.

    Args:
        path: A name that ends with one of `PICTURE_SUFFIXES`.
        array: `(columns, rows)` or `(columns, rows, 1)`, or with channels behind, as
            `affine` has two axes or three.
        affine: Voxel to world RAS+ mm, `(3, 3)` or `(4, 4)`.

    Raises:
        InputError: If such a picture can't hold it.
        WriteError: If the disk doesn't take it.
    """
    space = len(affine) - 1
    num_channels = 1 if array.ndim == space else array.shape[-1]
    check_picture(path, array.shape[:space], num_channels)
    if space == 3:
        array, affine = array[:, :, 0], _plane(path, affine)
    suffix = suffix_of(path, PICTURE_SUFFIXES) or ""
    array = _storable(path, array, suffix)
    _warn_of_place(path, affine)
    width, height = column_norms(affine)
    spacing = float(width), float(height)
    with replacing(path) as draft:
        wide = array.ndim == 3 and array.dtype == np.uint16
        if wide or array.dtype.name in _BY_ITK:
            _write_with_itk(draft, array, spacing)
        else:
            _write_with_pillow(draft, array, spacing, suffix)


def _plane(path: Path, affine: np.ndarray) -> np.ndarray:
    if is_upright(affine):
        return affine[PLANE]
    return np.diag([-1.0, -1.0, 1.0] * np.append(column_norms(affine)[:2], 1.0))


def _storable(path: Path, array: np.ndarray, suffix: str) -> np.ndarray:
    """The same values in a data type that the format has."""
    dtype = array.dtype
    if dtype == np.float32 and suffix.startswith(".tif") and array.ndim == 2:
        return array
    if dtype.kind in "iu" and array.min() >= 0:
        wide = array.max() > 255 or dtype == np.uint16
        if not wide:
            return array.astype(np.uint8, copy=False)
        if array.max() <= 65535 and not suffix.startswith(".j"):
            return array.astype(np.uint16, copy=False)
    if dtype.name in _BY_ITK and suffix.startswith(".tif") and array.ndim == 2:
        return array
    holds = "8 bits" if suffix.startswith(".j") else "8 or 16 bits"
    raise InputError(
        f"a {suffix} picture holds whole numbers of {holds}, but voxels are of type "
        f"{dtype}, from {array.min():g} to {array.max():g}; choose a name that ends "
        "with .nii.gz or .nrrd",
        place=path,
    )


def _warn_of_place(path: Path, affine: np.ndarray) -> None:
    """Says what a picture has no words for."""
    plain = flip_affine(affine)
    if not np.allclose(plain, np.diag([*column_norms(affine), 1.0]), atol=1e-6):
        warnings.warn(
            f"{known_as(path)}: a picture holds the size of its pixels, but neither "
            "origin nor directions, so the image's place in the world is lost; .nii.gz "
            "or .nrrd keep it",
            stacklevel=5,
        )


def _write_with_pillow(
    draft: Path, array: np.ndarray, spacing: tuple[float, float], suffix: str
) -> None:
    from PIL import Image as Pillow

    picture = Pillow.fromarray(np.ascontiguousarray(array.swapaxes(0, 1)))
    if suffix == ".png":
        _save_png(draft, picture, spacing)
    elif suffix in (".tif", ".tiff"):
        dpi = tuple(MM_PER_INCH / size for size in spacing)
        picture.save(draft, "TIFF", compression="tiff_adobe_deflate", dpi=dpi)
    else:
        _save_jpeg(draft, picture, spacing)


def _save_png(draft: Path, picture: Any, spacing: tuple[float, float]) -> None:
    """Says the size of a pixel twice: for ITK, and for everybody else."""
    dpi = tuple(MM_PER_INCH / size for size in spacing)
    picture.save(draft, "PNG", dpi=dpi)
    raw, told = draft.read_bytes(), SCALE_CHUNK + scale_chunk(spacing)
    size, check = len(told) - len(SCALE_CHUNK), zlib.crc32(told)
    chunk = size.to_bytes(4, "big") + told + check.to_bytes(4, "big")
    # Pillow lets nobody add it. The signature and the header come first.
    draft.write_bytes(raw[:_PNG_START] + chunk + raw[_PNG_START:])


def _save_jpeg(draft: Path, picture: Any, spacing: tuple[float, float]) -> None:
    unit, density, off = jpeg_density(spacing)
    lost = ""
    if off > _OFF:
        lost = f"; it states the size of its pixels {100 * off:.2g} % off, too"
    warnings.warn(
        f"{known_as(draft)}: JPEG changes values a little, PNG and TIFF don't{lost}",
        stacklevel=7,
    )
    picture.save(draft, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    _state_density(draft, unit, density)


def _state_density(draft: Path, unit: int, density: tuple[int, int]) -> None:
    """Puts unit and density into the JFIF header, where Pillow puts inches alone."""
    with draft.open("r+b") as stream:
        head = stream.read(18)
        if head[6:11] == b"JFIF\0":
            stream.seek(13)
            numbers = b"".join(number.to_bytes(2, "big") for number in density)
            stream.write(bytes([unit]) + numbers)


def _write_with_itk(
    draft: Path, array: np.ndarray, spacing: tuple[float, float]
) -> None:
    """Writes a picture and reads it again: ITK hides failures."""
    import SimpleITK as sitk

    affine = flip_affine(np.diag([*spacing, 1.0]))
    if array.ndim == 2:
        image = to_itk(array, affine, 0.0)
    else:
        image = with_channels(to_itk(array[..., 0], affine, 0.0), array)
    with itk_writing(draft):
        sitk.WriteImage(image, name_for_itk(draft), useCompression=True)
        written = sitk.GetArrayFromImage(sitk.ReadImage(str(draft)))
        if not np.array_equal(written, sitk.GetArrayViewFromImage(image)):
            raise incomplete(draft)
