"""Loads a DICOM series: one volume, or several in time, of a folder or a file.

The slices are put in order and placed by what each of them says of itself (position
and orientation in the patient), not by names or numbers. So a missing slice is found,
and the slant of a CT taken with a tilted gantry is kept, as a shear of the affine.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images.contents import Contents
from dlir_tf.images.dicom.colours import is_in_colours, load_colours
from dlir_tf.images.dicom.folder import begins_as_dicom, only_series, read_header
from dlir_tf.images.dicom.frames import Scale, read_frames_of
from dlir_tf.images.dicom.mosaic import read_mosaic
from dlir_tf.images.dicom.objects import named_object, refusal, storage_of
from dlir_tf.images.dicom.placing import LARGEST_MISPLACEMENT, check_alike, matrix_of
from dlir_tf.images.dicom.plane import Plane, is_mosaic, is_plane, read_plane
from dlir_tf.images.dicom.volumes import in_volumes
from dlir_tf.images.dicom.voxels import voxels_of
from dlir_tf.images.frame import flip_affine
from dlir_tf.images.grid import column_norms
from dlir_tf.images.headers.dicom_elements import check_elements
from dlir_tf.images.itk_files import quiet_itk, reason

# Of files that are taken for DICOM without the mark.
_SUFFIXES = ("", ".dcm", ".dicom", ".ima")


def load_dicom_series(folder: Path, choice: str = "") -> Contents:
    """Loads a DICOM series in a folder; folders inside it aren't searched.

    The dtype is the one that GDCM finds for the rescaled values, or float32 where it is
    a floating-point one or not the same for all slices.

    Args:
        folder: The folder.
        choice: Which series of several: the number that it's listed with, or its UID.

    Raises:
        InputError: If there is no series or are several of which none was chosen; if
            slices are missing, of different sizes or directions, some in colours, or
            several in one place that nothing tells apart.
    """
    with quiet_itk():
        try:
            return _load(folder, only_series(folder, choice))
        except RuntimeError as error:
            raise _unreadable(folder, error) from error


def load_dicom_file(path: Path) -> Contents:
    """Loads a DICOM file that holds a volume, or several: of many frames, or a mosaic.

    Or a picture, one frame in colours, or several of them in time.

    Raises:
        InputError: If it holds one slice of a series, or no image; else as
            `load_dicom_series`.
    """
    try:
        check_elements(path)
        said = named_object(storage_of(path))
    except (ValueError, OSError) as error:
        raise InputError(
            f"{path}: can't be read as a DICOM file ({error}); copy it again"
        ) from error
    if said is not None:
        raise refusal(path, said)
    with quiet_itk():
        try:
            header = read_header(str(path))
            if is_in_colours(path, header):
                return load_colours(path, header)
            if is_plane(header) and not is_mosaic(header):
                raise InputError(
                    f"{path}: is a single DICOM file; give the folder that holds the "
                    "files of its series, and no others"
                )
            return _load(path, (str(path),))
        except RuntimeError as error:
            raise _unreadable(path, error) from error


def is_dicom_file(path: Path) -> bool:
    """Whether a file begins as DICOM files do; old ones do so without their mark."""
    try:
        with path.open("rb") as stream:
            start = stream.read(132)
    except OSError:
        return False  # what is wrong with the file, its reader will say
    if start[128:] == b"DICM":
        return True
    return path.suffix.lower() in _SUFFIXES and begins_as_dicom(path)


def _unreadable(place: Path, error: RuntimeError) -> InputError:
    return InputError(
        f"{place}: the DICOM series can't be read ({reason(error)}); copy it "
        "again, or convert it to NIfTI (dcm2niix)"
    )


def _load(place: Path, names: Sequence[str]) -> Contents:
    planes, scales = _planes(place, names)
    check_alike(place, planes)
    voxels = voxels_of(planes, scales)
    volumes = in_volumes(place, planes, voxels)
    matrix = matrix_of(place, [planes[n] for n in volumes.order[0]])
    tolerance = LARGEST_MISPLACEMENT * np.abs(matrix[:3, 2]).max()
    for order in volumes.order[1:]:
        other = matrix_of(place, [planes[n] for n in order])
        if np.abs(other - matrix).max() > tolerance:
            raise InputError(
                f"{place}: the volumes of a series must lie in one place, but some of "
                "them lie elsewhere; separate them"
            )
    slices_first = volumes.order.T
    array = voxels[..., slices_first.ravel()]
    array = array.reshape(*voxels.shape[:-1], *slices_first.shape)
    if len(volumes.order) == 1:
        array = array[..., 0]
    components = planes[0].num_components
    if components > 1:
        array = np.moveaxis(array, 2, -1)
    world = flip_affine(matrix)
    return Contents(
        array,
        world,
        column_norms(world),
        num_components=components,
        time_step=volumes.step,
        time_unit=volumes.unit,
    )


def _planes(place: Path, names: Sequence[str]) -> tuple[list[Plane], list[Scale]]:
    """The slices of some files, and their scales if they are frames of these."""
    planes: list[Plane] = []
    scales: list[Scale] = []
    kinds = set()
    for name in names:
        header = read_header(name)
        if is_mosaic(header):
            kinds.add("mosaics")
            planes += read_mosaic(place, name, header)
        elif is_plane(header):
            kinds.add("single slices")
            planes.append(read_plane(place, name, header))
        else:
            kinds.add("files of many frames")
            found, of_found = _frames(place, name)
            planes += found
            scales += of_found
    if len(kinds) > 1:
        raise InputError(
            f"{place}: the files of a series must be of one kind, but are "
            f"{', '.join(sorted(kinds))}; separate them"
        )
    return planes, scales


def _frames(place: Path, name: str) -> tuple[list[Plane], list[Scale]]:
    try:
        return read_frames_of(Path(name))
    except InputError:
        raise
    except (ValueError, OSError) as error:
        raise InputError(
            f"{place}: what {Path(name).name} says of its frames can't be read "
            f"({error}); copy it again"
        ) from error
