"""Pictures in a DICOM file: frames in colours, of ultrasound or a photograph, say.

One is a 2-d image, several are a series in time, placed as other pictures are (see
`dlir_tf.images.pictures`): nothing in such a file says where in the patient it lies.
GDCM decodes the colours.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.files import name_for_itk
from dlir_tf.images.contents import Contents
from dlir_tf.images.dicom.folder import tag_of
from dlir_tf.images.frame import flip_affine
from dlir_tf.images.grid import in_space
from dlir_tf.images.headers.dicom_elements import EXPLICIT, IMPLICIT, VOXELS
from dlir_tf.images.headers.dicom_values import Values, open_values
from dlir_tf.images.pictures.resolution import unstated

_FRAMES, _FRAME_TIME = "0028|0008", (0x0018, 0x1063)
# Groups in which files of many frames say where each lies.
_PLACES = (0x5200, 0x9229), (0x5200, 0x9230)
_PHOTOMETRIC, _PLANAR = (0x0028, 0x0004), (0x0028, 0x0006)
_BITS = (0x0028, 0x0100), (0x0028, 0x0101), (0x0028, 0x0103)  # and whether signed
# How large a pixel is: of the patient, the detector, or the film that was scanned.
_SPACINGS = ("0028|0030", "0018|1164", "0018|2010")
_REGIONS, _UNITS = (0x0018, 0x6011), ((0x0018, 0x6024), (0x0018, 0x6026))
_DELTAS = ((0x0018, 0x602C), (0x0018, 0x602E))
_CM = 3


def is_in_colours(path: Path, header: Any) -> bool:
    """Whether a file holds frames in colours that don't say where each lies.

    Args:
        path: The file.
        header: As SimpleITK has opened it.
    """
    if header.GetNumberOfComponents() < 2:
        return False
    if tag_of(header, _FRAMES) in ("", "1"):
        return True
    with open_values(path) as values:
        return not any(tag in values for tag in _PLACES)


def load_colours(path: Path, header: Any) -> Contents:
    """Loads a picture, or several in time; a palette's colours take its numbers' place.

    Args:
        path: The file.
        header: As SimpleITK has opened it.

    Raises:
        InputError: If the colours have more than 8 bits each and are packed: GDCM may
            take their bytes in another order than they are.
        RuntimeError: If GDCM can't read it.
    """
    import SimpleITK as sitk

    image = sitk.ReadImage(name_for_itk(path), imageIO="GDCMImageIO")
    array = sitk.GetArrayFromImage(image)
    if array.dtype != np.uint8:
        array = _unpacked(path, array.shape)
    spacing = _spacing(path, header)
    matrix = in_space(flip_affine(np.diag([*spacing, 1.0])))
    step = 0.0
    frames = array.reshape(-1, *array.shape[-3:]).transpose(2, 1, 0, 3)
    if frames.shape[2] == 1:
        voxels = frames[:, :, 0]
    else:
        voxels, step = frames[:, :, None], _frame_time(path)
    return Contents(
        voxels,
        matrix,
        np.array([*spacing, 1.0]),
        num_components=array.shape[-1],
        time_step=step,
        time_unit="msec" if step else "unknown",
    )


def _unpacked(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Colours of 16 bits as they stand in the file, of the shape that GDCM finds."""
    with open_values(path) as values:
        plain = values.syntax in (IMPLICIT, EXPLICIT)
        plain &= values.text(_PHOTOMETRIC) == "RGB" and shape[-1] == 3
        plain &= [values.number(tag, 0) for tag in _BITS] == [16, 16, 0]
        raw = values.raw(VOXELS) if plain else b""
        by_plane = values.number(_PLANAR, 0) == 1
    size = math.prod(shape) * 2
    if len(raw) < size or not plain:
        raise InputError(
            f"{path}: its colours must have 8 bits each, or 16 and not be packed, "
            "which programs read differently; export it as PNG"
        )
    numbers = np.frombuffer(raw[:size], "<u2").astype(np.uint16)
    if not by_plane:
        return numbers.reshape(shape)
    rows, columns = shape[-3:-1]
    return np.moveaxis(numbers.reshape(-1, 3, rows, columns), 1, -1).reshape(shape)


def _frame_time(path: Path) -> float:
    """From one frame to the next, ms; 0 if it isn't stated."""
    with open_values(path) as values:
        try:
            step = values.number(_FRAME_TIME, 0.0)
        except ValueError:
            return 0.0
    return step if math.isfinite(step) and step > 0 else 0.0


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
