"""Writes images as NIfTI, MetaImage, NRRD or pictures, completely or not at all."""

import os
import warnings
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from dlir_tf.errors import InputError
from dlir_tf.files import known_as, replacing
from dlir_tf.images.casting import cast_voxels
from dlir_tf.images.formats import (
    IMAGE_SUFFIXES,
    NIFTI_SUFFIXES,
    PICTURE_SUFFIXES,
    writable_suffix,
)
from dlir_tf.images.frame import in_mm
from dlir_tf.images.grid import PLANE, column_norms, is_sheared, is_upright
from dlir_tf.images.headers.nifti_meaning import take_meaning
from dlir_tf.images.image import Image
from dlir_tf.images.itk_files import to_itk, with_channels, write_with_itk
from dlir_tf.images.pictures.writing import check_picture, check_values, save_picture
from dlir_tf.images.segments import SUFFIXES as SEGMENT_SUFFIXES
from dlir_tf.images.segments import segments_of, warn_of_loss, write_segments


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
    of time, qform and sform codes of the image's header are kept. So is what says what
    the voxels mean, if they are those that were read, or labels that were moved as
    such (see `dlir_tf.images.headers.nifti_meaning`). ITK, ANTs and
    Slicer refuse NIfTI files whose axes aren't perpendicular, which is then warned
    of; as MetaImage or NRRD they read them.

    An image with channels is written with these, and without its array. NIfTI holds
    RGB and RGBA of 8 bits.

    Labels of 3D Slicer keep the names and colours of their segments in NRRD, whose name
    should end with `.seg.nrrd`, and so do those of Connectome Workbench, of a table in
    NIfTI; with others, a warning says that they are lost.

    Args:
        path: A name that ends with one of `IMAGE_SUFFIXES`; an existing file is
            replaced. Pictures are 2-d, without a place in the world.
        image: What to write.
        dtype: Voxel type in the file; integer types are rounded to and clipped to
            their range. `None` keeps the array's.

    Raises:
        InputError: If the name, the folder or the values don't allow it.
    """
    path = Path(path)
    suffix = writable_suffix(path, IMAGE_SUFFIXES)
    voxels = image.array if image.channels is None else image.channels
    array = cast_voxels(voxels, np.dtype(dtype or voxels.dtype), path)
    kept = suffix in NIFTI_SUFFIXES and not image.segments  # by the header, if at all
    segments = {} if kept else segments_of(image)
    if segments and suffix in SEGMENT_SUFFIXES:
        write_segments(path, [image.with_array(array)], segments)
        return
    if segments:
        warn_of_loss(path, image)
    if suffix in PICTURE_SUFFIXES:
        save_picture(path, array, image.affine)
    elif image.channels is None:
        save_image(path, array, image.affine, image.header, meaning=image.meaning)
    elif suffix in NIFTI_SUFFIXES:
        save_image(path, _nifti_colours(path, array), image.affine, image.header)
    else:
        plain = to_itk(array[..., 0], image.affine, 0.0)
        write_with_itk(path, with_channels(plain, array))


def check_can_hold(path: Path, shape: tuple[int, ...], like: Image) -> None:
    """Refuses an image that a file of this name can't hold, before it's made.

    Args:
        path: The file to write.
        shape: Of the image.
        like: Has its values, or those between which they lie, and as many channels.

    Raises:
        InputError: If it is one.
    """
    channels = like.channels
    count = 1 if channels is None else channels.shape[-1]
    check_picture(path, shape, count)
    check_values(path, like.array if channels is None else channels)
    if channels is not None and path.name.endswith(NIFTI_SUFFIXES):
        _check_nifti_colours(path, channels)


def _check_nifti_colours(path: Path, channels: np.ndarray) -> None:
    count = channels.shape[-1]
    if channels.dtype != np.uint8 or count not in (3, 4):
        raise InputError(
            "NIfTI holds 3 or 4 colours of type uint8, but there are "
            f"{count} of {channels.dtype}; choose a name that ends with .nrrd or .mha",
            place=path,
        )


def _nifti_colours(path: Path, channels: np.ndarray) -> np.ndarray:
    """Colours as NIfTI has them, each voxel a number of several parts."""
    _check_nifti_colours(path, channels)
    count = channels.shape[-1]
    colours = np.dtype([(name, np.uint8) for name in "RGBA"[:count]])
    return np.ascontiguousarray(channels).view(colours)[..., 0]


def save_image(
    path: Path,
    array: np.ndarray,
    affine: np.ndarray,
    header: nib.Nifti1Header | None,
    time: tuple[float, str] | None = None,
    meaning: nib.Nifti1Header | None = None,
) -> None:
    """Saves voxels in the format that the name asks for.

    Args:
        path: A name that ends with one of `WRITABLE_SUFFIXES`.
        array: `(i, j)`, `(i, j, k)` or `(i, j, k, time)`, in the dtype that the file
            gets.
        affine: Voxel to world RAS+ mm, `(3, 3)` for `(i, j)` and else `(4, 4)`.
        header: What a NIfTI file takes over: description, unit of time, codes.
        time: Step and unit of the time axis, if there is one.
        meaning: The header that says what the voxels mean, if one does.

    Raises:
        InputError: If the name, the folder or the disk don't allow it.
    """
    if writable_suffix(path) in NIFTI_SUFFIXES:
        affine = _affine_4x4(affine, header)
        if is_sheared(affine):
            warnings.warn(
                f"{known_as(path)}: the axes aren't perpendicular, and ITK, ANTs and "
                "Slicer refuse such NIfTI files; they read it as .nrrd",
                stacklevel=4,
            )
        save_nifti(path, array, affine, header, time=time, meaning=meaning)
        return
    write_with_itk(path, to_itk(array, affine, time[0] if time else 0.0))


def _affine_4x4(affine: np.ndarray, header: nib.Nifti1Header | None) -> np.ndarray:
    """The matrix to write; a 2-d image's third axis is taken from its header."""
    if len(affine) == 4:
        return affine
    base = np.eye(4)
    if header is not None and len(header.get_data_shape()) == 2:
        base = in_mm(np.asarray(header.get_best_affine()), header)
    if not is_upright(base):
        if np.allclose(affine, np.diag([*column_norms(base)[:2], 1.0]), rtol=1e-4):
            return base  # the tilted plane that reading had to leave out
        base = np.eye(4)
    base[PLANE] = affine
    base[2, 2] = base[2, 2] or 1.0
    return base


def save_nifti(
    path: Path,
    array: np.ndarray,
    affine: np.ndarray,
    header: nib.Nifti1Header | None,
    *,
    intent: str = "none",
    called: str = "",
    kind: int = 0,
    time: tuple[float, str] | None = None,
    meaning: nib.Nifti1Header | None = None,
) -> None:
    """Saves a NIfTI file.

    Args:
        path: A name that ends with `.nii` or `.nii.gz`.
        array: Voxels, in the dtype that the file gets.
        affine: Voxel to world RAS+ mm, `(4, 4)`.
        header: Whose description, unit of time and codes to take over; or none.
        intent: What the voxels mean, by NIfTI's name for it.
        called: The name of the intent, by which programs know their own files.
        kind: The intent's first parameter, by which NiftyReg tells its fields apart.
        time: Step and unit of the fourth axis, if that is time.
        meaning: As in `save_image`, instead of an intent.

    Raises:
        InputError: If the name, the folder or the disk don't allow it.
    """
    writable_suffix(path, NIFTI_SUFFIXES)
    wide = isinstance(header, nib.Nifti2Header) or max(array.shape) > 32767
    image_class: Any = nib.Nifti2Image if wide else nib.Nifti1Image
    image = image_class(array, affine, dtype=array.dtype)
    _fill_header(image.header, affine, header, intent)
    image.header["intent_name"], image.header["intent_p1"] = called, kind
    if meaning is not None:
        take_meaning(image.header, meaning, in_time=time is not None)
    if time is not None:
        image.header["pixdim"][4] = time[0]
        image.header.set_xyzt_units("mm", time[1])
    with replacing(path) as draft:
        image.to_filename(draft)


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
    if is_sheared(affine):
        qform_code = 0  # a qform can't hold shears
    # The sform is always set: the quaternions of a qform round more coarsely.
    target.set_sform(affine, sform_code or qform_code or 1)
    target.set_qform(affine, qform_code, strip_shears=True)
    target["xyzt_units"] = time_unit | 2
    target.set_intent(intent)
