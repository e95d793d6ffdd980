"""What a file holds, before it's known whether that is an image to register."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np

from dlir_tf.errors import InputError, counted
from dlir_tf.images.headers.nrrd import NrrdHeader


@dataclass(frozen=True, eq=False)
class Contents:
    """The voxels of a file of whatever format, and the frame it states for them.

    Attributes:
        array: Voxels: axes i, j, k and time, as far as the file has them; the numbers
            of one voxel, where there are several, along the last axis.
        matrix: Voxel-to-world matrix `(4, 4)`, RAS+ mm.
        zooms: Spacing along each axis, in mm, as stated besides the matrix.
        header: The NIfTI header, if it is a NIfTI file.
        num_components: Numbers in each voxel; more than one are colours or vectors.
        time_step: Time between two volumes, in `time_unit`; 0 if it isn't stated.
        time_unit: `"sec"`, `"msec"`, `"usec"`, `"unknown"`, or what else NIfTI knows
            for a fourth axis that isn't time.
        nrrd: The NRRD header, if it is a NRRD file.
        segments: What a segmentation of 3D Slicer says of its segments.
        are_colours: Whether three or four channels of whole numbers are colours.
    """

    array: np.ndarray
    matrix: np.ndarray
    zooms: np.ndarray
    header: nib.Nifti1Header | None = None
    num_components: int = 1
    time_step: float = 0.0
    time_unit: str = "unknown"
    nrrd: NrrdHeader | None = None
    segments: Mapping[str, str] = field(default_factory=dict)
    are_colours: bool = True


def check_numbers(path: Path, contents: Contents) -> None:
    """Refuses series in colours, complex and infinite voxels.

    NaN is a voxel without a value; not all may be.

    Raises:
        InputError: If it isn't one real number a voxel.
    """
    array = contents.array
    if array.dtype.kind not in "iuf" or contents.num_components > 1:
        kind = f"values of type {array.dtype}"
        if contents.num_components > 1 or array.dtype.names:
            kind = "several numbers each along more than 3 axes (colours in time?)"
        raise InputError(
            f"{path}: voxels must be grey values, labels or colours, but are {kind}; "
            "convert the file to one real number a voxel"
        )
    if array.dtype.kind != "f":
        return
    if np.isinf(array).any():
        raise InputError(
            f"{path}: no voxel may be infinite, but {np.count_nonzero(np.isinf(array))}"
            " are; replace them by a background value, or by NaN for those that have "
            "none"
        )
    if array.size and np.isnan(array).all():
        raise InputError(
            f"{path}: every voxel is NaN, so there is nothing in it; check that this "
            "is the image that was meant"
        )


def check_finite(path: Path, array: np.ndarray) -> None:
    """Refuses NaN and infinite voxels.

    Raises:
        InputError: If there are any; the message has their number.
    """
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        count = np.count_nonzero(~np.isfinite(array))
        raise InputError(
            f"{path}: all voxels must be finite, but "
            f"{counted(count, 'is', 'are')} NaN or infinite; replace them by a "
            "background value"
        )


def without_single_axes(array: np.ndarray) -> np.ndarray:
    """The array without trailing axes of length 1 after the third."""
    while array.ndim > 3 and array.shape[-1] == 1:
        array = array[..., 0]
    return array
