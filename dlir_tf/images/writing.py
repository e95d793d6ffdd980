"""Writes images as NIfTI, completely or not at all."""

import contextlib
import os
import uuid
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from dlir_tf.errors import InputError
from dlir_tf.images.frame import PLANE, column_norms, in_mm, is_decoupled
from dlir_tf.images.image import Image

_SUFFIXES = (".nii.gz", ".nii")
_STORED_AS: dict[str, np.dtype[Any]] = {
    "bool": np.dtype(np.uint8),
    "float16": np.dtype(np.float32),
}


def write_image(
    path: str | os.PathLike[str],
    image: Image,
    *,
    dtype: npt.DTypeLike | None = None,
    like: Image | None = None,
) -> None:
    """Writes a NIfTI file, completely or not at all.

    Affine and pixdim always agree; the space is in mm.

    Args:
        path: A name that ends with `.nii` or `.nii.gz`; an existing file is replaced.
        image: What to write.
        dtype: Voxel type in the file; integer types are rounded to and clipped to
            their range. `None` keeps the array's.
        like: The image whose header to copy (description, unit of time, qform and
            sform codes) instead of `image`'s own.

    Raises:
        InputError: If the name, the folder or the values don't allow it.
    """
    array = _cast(image.array, np.dtype(dtype or image.array.dtype), Path(path))
    header = image.header if like is None else like.header
    save(Path(path), array, affine_4x4(image.affine, header), header)


def affine_4x4(affine: np.ndarray, header: nib.Nifti1Header | None) -> np.ndarray:
    """The matrix to write; a 2-d image's third axis is taken from its header."""
    if len(affine) == 4:
        return affine
    base = np.eye(4)
    if header is not None and len(header.get_data_shape()) == 2:
        base = in_mm(np.asarray(header.get_best_affine()), header)
    if not is_decoupled(base):
        if np.allclose(affine, np.diag([*column_norms(base)[:2], 1.0]), rtol=1e-4):
            return base  # the tilted plane that reading had to leave out
        base = np.eye(4)
    base[PLANE] = affine
    base[2, 2] = base[2, 2] or 1.0
    return base


def _cast(array: np.ndarray, dtype: np.dtype[Any], path: Path) -> np.ndarray:
    """Changes the voxel type; integers are rounded and clipped, never wrapped."""
    dtype = _STORED_AS.get(dtype.name, dtype)
    if dtype.kind not in "iu" or array.dtype.kind not in "iuf":
        return array.astype(dtype)
    limits = np.iinfo(dtype)
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise InputError(
                f"{path}: NaN or infinite voxels can't be written as {dtype}; choose "
                "a floating-point dtype"
            )
        # float64 holds every limit exactly, apart from those of 64-bit integers.
        high = min(limits.max, 2**63 - 1024)
        rounded = np.rint(array.astype(np.float64))
        return np.asarray(np.clip(rounded, limits.min, high), dtype=dtype)
    own = np.iinfo(array.dtype)
    low, high = max(limits.min, own.min), min(limits.max, own.max)
    return np.asarray(np.clip(array, low, high).astype(dtype))


def save(
    path: Path,
    array: np.ndarray,
    affine: np.ndarray,
    header: nib.Nifti1Header | None,
    intent: str = "none",
) -> None:
    """Writes beside the file first, so that no reader ever meets half of one.

    Args:
        path: A name that ends with `.nii` or `.nii.gz`.
        array: Voxels, in the dtype that the file gets.
        affine: Voxel to world RAS+ mm, `(4, 4)`.
        header: Whose description, unit of time and codes to take over; or none.
        intent: What the voxels mean, by NIfTI's name for it.

    Raises:
        InputError: If the name, the folder or the disk don't allow it.
    """
    suffix = next((end for end in _SUFFIXES if path.name.endswith(end)), None)
    if suffix is None:
        raise InputError(
            f"{path}: the name of an image to write must end with .nii or .nii.gz"
        )
    wide = isinstance(header, nib.Nifti2Header) or max(array.shape) > 32767
    image_class: Any = nib.Nifti2Image if wide else nib.Nifti1Image
    image = image_class(array, affine, dtype=array.dtype)
    _fill_header(image.header, affine, header, intent)
    draft = path.with_name(f".{uuid.uuid4().hex}{suffix}")
    try:
        image.to_filename(draft)
        os.replace(draft, path)
    except OSError as error:
        raise InputError(
            f"{path}: can't be written ({error.strerror or error}); choose a folder "
            "that exists, is writable and has space"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def _fill_header(
    target: nib.Nifti1Header,
    affine: np.ndarray,
    source: nib.Nifti1Header | None,
    intent: str,
) -> None:
    """Takes over what still holds of the source; the rest describes other voxels."""
    qform_code, sform_code, time_unit = 1, 1, 0
    if source is not None:
        target["descrip"], target["aux_file"] = source["descrip"], source["aux_file"]
        qform_code, sform_code = int(source["qform_code"]), int(source["sform_code"])
        time_unit = int(source["xyzt_units"]) & 0x38
    axes = affine[:3, :3] / column_norms(affine)
    if not np.allclose(axes.T @ axes, np.eye(3), atol=1e-4):
        qform_code = 0  # a qform can't hold shears
    # The sform is always set: the quaternions of a qform round more coarsely.
    target.set_sform(affine, sform_code or qform_code or 1)
    target.set_qform(affine, qform_code, strip_shears=True)
    target["xyzt_units"] = time_unit | 2
    target.set_intent(intent)
