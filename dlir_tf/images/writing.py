"""Writes images, completely or not at all."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from dlir_tf.errors import InputError
from dlir_tf.images.formats import writable_suffix
from dlir_tf.images.image import Image
from dlir_tf.images.saving import save_image

_STORED_AS: dict[str, np.dtype[Any]] = {
    "bool": np.dtype(np.uint8),
    "float16": np.dtype(np.float32),
    "float128": np.dtype(np.float64),
}


def write_image(
    path: str | os.PathLike[str],
    image: Image,
    *,
    dtype: npt.DTypeLike | None = None,
) -> None:
    """Writes an image in the format that the name asks for.

    The file is there completely or not at all; so are the two files of `.mhd`
    (`.zraw` beside it) and `.nhdr` (`.raw.gz`). MetaImage and NRRD are compressed.

    NIfTI: affine and pixdim always agree, the space is in mm, and description, unit
    of time, qform and sform codes of the image's header are kept. ITK, ANTs and
    Slicer refuse NIfTI files whose axes aren't perpendicular, which is then warned
    of; as MetaImage or NRRD they read them.

    Args:
        path: A name that ends with one of `WRITABLE_SUFFIXES`; an existing file is
            replaced.
        image: What to write.
        dtype: Voxel type in the file; integer types are rounded to and clipped to
            their range. `None` keeps the array's.

    Raises:
        InputError: If the name, the folder or the values don't allow it.
    """
    path = Path(path)
    writable_suffix(path)
    array = cast_voxels(image.array, np.dtype(dtype or image.array.dtype), path)
    save_image(path, array, image.affine, image.header)


def cast_voxels(array: np.ndarray, dtype: np.dtype[Any], path: Path) -> np.ndarray:
    """Changes the voxel type; integers are rounded and clipped, never wrapped.

    Args:
        array: The voxels; they aren't changed.
        dtype: The type that is asked for. What not all formats hold becomes what they
            do: bool uint8, float16 float32, float128 float64.
        path: The file to write, for the message.

    Raises:
        InputError: If NaN or infinite voxels were to become integers.
    """
    dtype = _STORED_AS.get(dtype.name, dtype)
    if dtype.kind not in "iu" or array.dtype.kind not in "iuf":
        return array.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise InputError(
                f"NaN or infinite voxels can't be written as {dtype}; choose a "
                "floating-point dtype",
                place=path,
            )
        # float64 holds every limit exactly, apart from those of 64-bit integers.
        high = min(limits.max, 2**63 - 1024)
        rounded = np.rint(array.astype(np.float64))
        return np.asarray(np.clip(rounded, limits.min, high), dtype=dtype)
    own = np.iinfo(array.dtype)
    if own.min >= limits.min and own.max <= limits.max:
        return array.astype(dtype, copy=False)
    low, high = max(limits.min, own.min), min(limits.max, own.max)
    return np.asarray(np.clip(array, low, high).astype(dtype))
