"""A picture in a DICOM file: one frame in colours, of ultrasound or a photograph, say.

It's a 2-d image, placed as other pictures are (see `dlir_tf.images.pictures`): nothing
in such a file says where in the patient it lies. GDCM decodes the colours.
"""

from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.files import name_for_itk
from dlir_tf.images.contents import Contents
from dlir_tf.images.dicom.folder import tag_of
from dlir_tf.images.frame import flip_affine
from dlir_tf.images.grid import in_space
from dlir_tf.images.headers.dicom_values import Values, open_values
from dlir_tf.images.pictures.resolution import unstated

_FRAMES = "0028|0008"
# How large a pixel is: of the patient, the detector, or the film that was scanned.
_SPACINGS = ("0028|0030", "0018|1164", "0018|2010")
_REGIONS, _UNITS = (0x0018, 0x6011), ((0x0018, 0x6024), (0x0018, 0x6026))
_DELTAS = ((0x0018, 0x602C), (0x0018, 0x602E))
_CM = 3


def is_in_colours(header: Any) -> bool:
    """Whether a file that SimpleITK has opened holds one frame in colours."""
    single = tag_of(header, _FRAMES) in ("", "1")
    return single and header.GetNumberOfComponents() > 1


def load_colours(path: Path, header: Any) -> Contents:
    """Loads a picture; a palette's colours take the place of its numbers.

    Args:
        path: The file.
        header: As SimpleITK has opened it.

    Raises:
        InputError: If the colours have more than 8 bits each, whose bytes GDCM may
            take in another order than they are.
        RuntimeError: If GDCM can't read it.
    """
    import SimpleITK as sitk

    image = sitk.ReadImage(name_for_itk(path), imageIO="GDCMImageIO")
    array = sitk.GetArrayFromImage(image)
    if array.dtype != np.uint8:
        raise InputError(
            f"{path}: its colours must have 8 bits each, but are {array.dtype}, which "
            "programs read differently; export it as PNG"
        )
    spacing = _spacing(path, header)
    matrix = in_space(flip_affine(np.diag([*spacing, 1.0])))
    return Contents(
        array.reshape(array.shape[-3:]).swapaxes(0, 1),
        matrix,
        np.array([*spacing, 1.0]),
        num_components=array.shape[-1],
    )


def _spacing(path: Path, header: Any) -> tuple[float, float]:
    """Width and height of a pixel, in mm."""
    if any(tag_of(header, tag) for tag in _SPACINGS):
        width, height = header.GetSpacing()[:2]
        return width, height
    with open_values(path) as values:
        found = {_of_region(region) for region in values.items(_REGIONS)} - {None}
    stated = found.pop() if len(found) == 1 else None
    return stated or unstated(path)


def _of_region(region: Values) -> tuple[float, float] | None:
    """That of a part of an ultrasound picture; `None` if its axes aren't lengths."""
    if any(region.number(unit, 0) != _CM for unit in _UNITS):
        return None
    width, height = (10 * abs(region.number(delta, 0.0)) for delta in _DELTAS)
    return (width, height) if width > 0 and height > 0 else None
