"""Loads a file, whatever its format is."""

import os
import warnings
from pathlib import Path

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images.contents import Contents
from dlir_tf.images.dicom import load_dicom_series
from dlir_tf.images.formats import ITK_SUFFIXES, suffix_of
from dlir_tf.images.frame import SpacingSource, frame
from dlir_tf.images.itk_files import load_with_itk
from dlir_tf.images.nibabel_files import load_with_nibabel


def load(path: str | os.PathLike[str], spacing_source: SpacingSource) -> Contents:
    """Loads a file, or the DICOM series in a folder, completely.

    Args:
        path: The file or the folder.
        spacing_source: As in `read_image`; only checked here, for `place` to use.

    Raises:
        InputError: If there is no such file, or it can't be read.
    """
    if spacing_source not in ("auto", "affine", "pixdim"):
        raise InputError(
            "spacing_source: must be auto, affine or pixdim. "
            f"Received: {spacing_source!r}"
        )
    path = Path(path)
    if path.is_dir():
        return load_dicom_series(path)
    if not path.is_file():
        raise InputError(
            f"no such file: {path}; give the path of an image or of a folder that "
            "holds a DICOM series"
        )
    if _is_dicom_file(path):
        raise InputError(
            f"{path}: is a single DICOM file; give the folder that holds the files of "
            "its series, and no others"
        )
    if suffix_of(path, ITK_SUFFIXES):
        return load_with_itk(path)
    return load_with_nibabel(path)


def place(path: Path, contents: Contents, source: SpacingSource) -> np.ndarray:
    """The affine of the 2-d or 3-d images in a file, by the rule of `images.frame`."""
    header, ndim = contents.header, min(contents.array.ndim, 3)
    if header is not None and not (header["qform_code"] or header["sform_code"]):
        warnings.warn(
            f"{path}: the header states no orientation (qform and sform are "
            "unset); took nibabel's guess, other programs may guess differently",
            stacklevel=4,
        )
    return frame(path, contents.matrix, contents.zooms[:ndim], source)


def _is_dicom_file(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            stream.seek(128)
            return stream.read(4) == b"DICM"
    except OSError:
        return False  # what is wrong with the file, its reader will say
