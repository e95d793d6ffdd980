"""Loads a DICOM series: one volume, in the files of one folder.

The slices are put in order and placed by what each of them says of itself (position
and orientation in the patient), not by names or numbers. So a missing slice is found,
and the slant of a CT taken with a tilted gantry is kept, as a shear of the affine.
SimpleITK (GDCM) decodes the voxels and applies each slice's rescale slope.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images.contents import Contents
from dlir_tf.images.dicom_folder import only_series, read_header, tag_of
from dlir_tf.images.frame import flip_affine
from dlir_tf.images.grid import column_norms
from dlir_tf.images.itk_files import quiet_itk, reason, to_array

_POSITION, _ORIENTATION, _THICKNESS = "0020|0032", "0020|0037", "0018|0050"
_LARGEST_MISPLACEMENT = 0.1  # of the distance between slices


@dataclass(frozen=True)
class _Slice:
    """What one file says of itself; LPS+ mm."""

    path: str
    size: tuple[int, ...]
    spacing: tuple[float, ...]
    pixel_type: int
    num_components: int
    position: np.ndarray  # (3,), of the centre of the first voxel
    axes: np.ndarray  # (3, 3), directions of the axes i, j and their normal in columns
    thickness: float


def load_dicom_series(folder: Path) -> Contents:
    """Loads the one DICOM series in a folder; folders inside it aren't searched.

    The dtype is the one that GDCM finds for the rescaled values, or float32 where it is
    a floating-point one or not the same for all slices.

    Raises:
        InputError: If there is no series or are several, if slices are missing, of
            different sizes or directions or several in one place, or in colours.
    """
    with quiet_itk():
        try:
            names = only_series(folder)
            slices = [_read_slice(folder, name) for name in names]
            _check_alike(folder, slices)
            normal = slices[0].axes[:, 2]
            slices = sorted(slices, key=lambda s: float(s.position @ normal))
            matrix = flip_affine(_matrix(folder, slices))
            array = _voxels(slices)
        except RuntimeError as error:
            raise InputError(
                f"{folder}: the DICOM series can't be read ({reason(error)}); copy it "
                "again, or convert it to NIfTI (dcm2niix)"
            ) from error
    return Contents(array, matrix, column_norms(matrix))


def _read_slice(folder: Path, name: str) -> _Slice:
    header = read_header(name)
    try:
        position = np.array(tag_of(header, _POSITION).split("\\"), dtype=np.float64)
        rows = np.array(tag_of(header, _ORIENTATION).split("\\"), dtype=np.float64)
        i, j = rows.reshape(2, 3)
        thickness = float(tag_of(header, _THICKNESS) or 0)
    except ValueError:
        position, i, j, thickness = np.zeros(0), *np.zeros((2, 3)), 0.0
    size = header.GetSize()
    if position.shape != (3,) or (len(size) > 2 and size[2] != 1):
        raise InputError(
            f"{folder}: each file must be one slice and state its position and "
            f"orientation in the patient, but {Path(name).name} doesn't; convert the "
            "series to NIfTI (dcm2niix)"
        )
    return _Slice(
        name,
        tuple(size[:2]),
        tuple(header.GetSpacing()[:2]),
        header.GetPixelID(),
        header.GetNumberOfComponents(),
        position,
        np.stack([i, j, np.cross(i, j)], axis=1),
        thickness,
    )


def _check_alike(folder: Path, slices: list[_Slice]) -> None:
    """Slices of one volume have their size, direction and kind in common."""
    first = slices[0]
    colour = next((s for s in slices if s.num_components > 1), None)
    if colour is not None:
        raise InputError(
            f"{folder}: voxels must be grey values, but {Path(colour.path).name} is in "
            "colours; give a series of grey values"
        )
    for other in slices[1:]:
        alike = (
            other.size == first.size
            and np.allclose(other.spacing, first.spacing, rtol=1e-3)
            and np.allclose(other.axes, first.axes, atol=1e-3)
        )
        if not alike:
            raise InputError(
                f"{folder}: all slices must have the same size, spacing and direction, "
                f"but {Path(other.path).name} differs from {Path(first.path).name} "
                "(a scout image?); move what doesn't belong to the volume elsewhere"
            )


def _matrix(folder: Path, slices: list[_Slice]) -> np.ndarray:
    """Voxel to world, LPS+ mm, of slices in order; they must be evenly apart."""
    first = slices[0]
    matrix = np.eye(4)
    matrix[:3, :2] = first.axes[:, :2] * first.spacing
    matrix[:3, 3] = first.position
    if len(slices) == 1:
        matrix[:3, 2] = first.axes[:, 2] * (first.thickness or 1.0)
        return matrix
    positions = np.array([s.position for s in slices])
    gaps = np.diff(positions @ first.axes[:, 2])
    if gaps.min() < 1e-3:
        raise InputError(
            f"{folder}: each slice must have its own place, but "
            f"{np.count_nonzero(gaps < 1e-3)} of {len(slices)} files lie where another "
            "does; the series holds several volumes (times, echoes), so separate them"
        )
    matrix[:3, 2] = (positions[-1] - positions[0]) / (len(slices) - 1)
    even = positions[0] + np.arange(len(slices))[:, None] * matrix[:3, 2]
    misplaced = np.linalg.norm(positions - even, axis=1).max()
    if misplaced > _LARGEST_MISPLACEMENT * np.median(gaps):
        at = int(np.argmax(gaps))
        raise InputError(
            f"{folder}: slices must be evenly apart, but are {np.median(gaps):.4g} mm "
            f"mostly and {gaps[at]:.4g} mm between {Path(slices[at].path).name} and "
            f"{Path(slices[at + 1].path).name}; add the files that are missing"
        )
    return matrix


def _voxels(slices: list[_Slice]) -> np.ndarray:
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetImageIO("GDCMImageIO")
    reader.SetFileNames([s.path for s in slices])
    types = {s.pixel_type for s in slices}
    # The first slice's type would be forced on the others.
    if len(types) > 1 or types & {sitk.sitkFloat32, sitk.sitkFloat64}:
        reader.SetOutputPixelType(sitk.sitkFloat32)
    return to_array(reader.Execute())
