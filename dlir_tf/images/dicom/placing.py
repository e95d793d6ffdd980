"""Where the slices of a volume lie together; they must be alike, and evenly apart."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images.dicom.plane import Plane

LARGEST_MISPLACEMENT = 0.1  # of the distance between slices


def check_alike(place: Path, planes: Sequence[Plane]) -> None:
    """Slices of one series have their size, direction and kind in common.

    Raises:
        InputError: If one differs.
    """
    first = planes[0]
    colour = next((s for s in planes if s.num_components > 1), None)
    if colour is not None:
        _check_colours(place, planes, colour)
    for other in planes[1:]:
        alike = (
            other.size == first.size
            and np.allclose(other.spacing, first.spacing, rtol=1e-3)
            and np.allclose(other.axes, first.axes, atol=1e-3)
        )
        if not alike:
            raise InputError(
                f"{place}: all slices must have the same size, spacing and direction, "
                f"but {_name(other)} differs from {_name(first)} "
                "(a scout image?); move what doesn't belong to the volume elsewhere"
            )


def _check_colours(place: Path, planes: Sequence[Plane], colour: Plane) -> None:
    """Colours of slices in files of their own, of 8 bits, can be read if all are."""
    import SimpleITK as sitk

    cure = "give a series of grey values, or the file itself as a picture"
    if colour.frame >= 0 or colour.pixel_type != sitk.sitkVectorUInt8:
        raise InputError(
            f"{place}: slices in colours must have files of their own and 8 bits for "
            f"each, but {_name(colour)} has others; {cure}"
        )
    for other in planes:
        if other.num_components != colour.num_components:
            raise InputError(
                f"{place}: all slices must have grey values, or all colours, but "
                f"{_name(colour)} is in colours and {_name(other)} isn't as that; "
                f"{cure}"
            )


def matrix_of(place: Path, planes: Sequence[Plane]) -> np.ndarray:
    """Voxel to world, LPS+ mm, of slices in order.

    Raises:
        InputError: If they aren't evenly apart.
    """
    first = planes[0]
    matrix = np.eye(4)
    matrix[:3, :2] = first.axes[:, :2] * first.spacing
    matrix[:3, 3] = first.position
    if len(planes) == 1:
        matrix[:3, 2] = first.axes[:, 2] * (first.thickness or 1.0)
        return matrix
    positions = np.array([plane.position for plane in planes])
    gaps = np.diff(positions @ first.axes[:, 2])
    matrix[:3, 2] = (positions[-1] - positions[0]) / (len(planes) - 1)
    even = positions[0] + np.arange(len(planes))[:, None] * matrix[:3, 2]
    misplaced = np.linalg.norm(positions - even, axis=1).max()
    if misplaced > LARGEST_MISPLACEMENT * np.median(gaps):
        at = int(np.argmax(gaps))
        raise InputError(
            f"{place}: slices must be evenly apart, but are {np.median(gaps):.4g} mm "
            f"mostly and {gaps[at]:.4g} mm between {_name(planes[at])} and "
            f"{_name(planes[at + 1])}; add the files that are missing"
        )
    return matrix


def _name(plane: Plane) -> str:
    name = Path(plane.path).name
    return name if plane.frame < 0 else f"frame {plane.frame + 1} of {name}"
