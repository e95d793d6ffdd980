"""What one slice of a DICOM series says of itself, in a file of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf.errors import InputError

_POSITION, _ORIENTATION, _THICKNESS = "0020|0032", "0020|0037", "0018|0050"
_IMAGE_TYPE, _UID, _FRAMES = "0008|0008", "0008|0018", "0028|0008"
# Of pixels: as they are in the patient, on the detector, on the film that was scanned.
_SPACINGS = ("0028|0030", "0018|1164", "0018|2010")
# What tells the volumes of a series apart, where it's one number of a slice.
_KEYS = {
    "temporal position": "0020|0100",
    "trigger time": "0018|1060",
    "b-value": "0018|9087",
    "echo time": "0018|0081",
    "acquisition number": "0020|0012",
    "instance number": "0020|0013",
    "temporal resolution": "0020|0110",
}
_ACQUISITION_TIME = "0008|0032"


@dataclass(frozen=True)
class Plane:
    """A slice; LPS+ mm.

    Attributes:
        path: Its file.
        size: Voxels along the axes i and j.
        spacing: Between them.
        position: `(3,)`, of the centre of the first voxel.
        axes: `(3, 3)`, directions of the axes i, j and their normal in columns.
        thickness: Of the slice; 0 if it isn't stated.
        frame: Its number in a file that holds several; -1 of a file of its own.
        pixel_type: ITK's, of a file of its own.
        num_components: Numbers in each voxel.
        uid: Of the file.
        kind: Magnitude, phase and the like, as the file calls it.
        keys: What may tell the volumes of a series apart, by name.
    """

    path: str
    size: tuple[int, ...]
    spacing: tuple[float, ...]
    position: np.ndarray
    axes: np.ndarray
    thickness: float
    frame: int = -1
    pixel_type: int = 0
    num_components: int = 1
    uid: str = ""
    kind: str = ""
    keys: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


def axes_of(orientation: np.ndarray) -> np.ndarray:
    """Directions of i, j and their normal, in columns, of what a file states.

    Raises:
        ValueError: If these aren't two directions at a right angle.
    """
    if orientation.shape != (6,):
        raise ValueError("an orientation has six numbers")
    i, j = orientation.reshape(2, 3)
    lengths = np.linalg.norm([i, j], axis=1)
    if not np.allclose(lengths, 1, atol=0.01) or abs(i @ j) > 0.01:
        raise ValueError("axes i and j must be directions at a right angle")
    return np.stack([i, j, np.cross(i, j)], axis=1)


def is_plane(header: Any) -> bool:
    """Whether a file that SimpleITK has opened holds one slice, with its place."""
    size, frames = header.GetSize(), _text(header, _FRAMES)
    single = len(size) < 3 or size[2] == 1
    return single and frames in ("", "1") and bool(_text(header, _POSITION))


def is_mosaic(header: Any) -> bool:
    """Whether a file holds all slices of a volume side by side, as Siemens' do."""
    return "MOSAIC" in _text(header, _IMAGE_TYPE).upper().split("\\")


def read_plane(folder: Path, name: str, header: Any) -> Plane:
    """What a file with one slice says of it.

    Args:
        folder: For messages.
        name: The file.
        header: As SimpleITK has opened it.

    Raises:
        InputError: If it states no place.
    """
    try:
        position = np.array(_text(header, _POSITION).split("\\"), dtype=np.float64)
        rows = np.array(_text(header, _ORIENTATION).split("\\"), dtype=np.float64)
        axes = axes_of(rows)
        thickness = float(_text(header, _THICKNESS) or 0)
    except ValueError:
        position, axes, thickness = np.zeros(0), np.eye(3), 0.0
    if position.shape != (3,) or not np.isfinite(position).all():
        raise no_place(folder, name)
    if not any(_is_stated(header, tag) for tag in _SPACINGS):
        raise InputError(
            "each slice must state the spacing of its pixels, but "
            f"{Path(name).name} doesn't, and GDCM would take 1 mm; export the series "
            "again, or convert it to NIfTI and set the spacing there",
            place=folder,
        )
    return Plane(
        name,
        tuple(header.GetSize()[:2]),
        tuple(header.GetSpacing()[:2]),
        position,
        axes,
        thickness,
        pixel_type=header.GetPixelID(),
        num_components=header.GetNumberOfComponents(),
        uid=_text(header, _UID),
        kind=kind_of(_text(header, _IMAGE_TYPE)),
        keys=_keys(header),
    )


def _is_stated(header: Any, tag: str) -> bool:
    """Whether the spacing that GDCM takes is the one of a tag: of rows, of columns."""
    try:
        stated = [float(part) for part in _text(header, tag).split("\\")]
    except ValueError:
        return False
    columns, rows = header.GetSpacing()[:2]
    return len(stated) == 2 and np.allclose(stated, [rows, columns], rtol=1e-6, atol=0)


def no_place(place: object, name: str) -> InputError:
    """The error of a slice that doesn't state its place."""
    return InputError(
        "each slice must state its position and orientation in the patient, but "
        f"{Path(name).name} doesn't; convert the series to NIfTI (dcm2niix)",
        place=place,
    )


def kind_of(image_type: str) -> str:
    """Magnitude, phase, real part and so on: the third word of an image's type."""
    words = image_type.upper().split("\\")
    return words[2].strip() if len(words) > 2 else ""


def seconds_of(text: str) -> float | None:
    """The time of a day, `HHMMSS.ffffff`, or of a date and time, in seconds."""
    clock = text.strip()
    whole = clock.partition(".")[0]
    if len(whole) == 14:  # a date before it
        clock = clock[8:]
    digits = clock.partition(".")[0]
    if len(digits) != 6 or not digits.isdecimal():
        return None
    hours, minutes = int(clock[:2]), int(clock[2:4])
    try:
        return hours * 3600 + minutes * 60 + float(clock[4:].split("+")[0])
    except ValueError:
        return None


def _keys(header: Any) -> dict[str, tuple[float, ...]]:
    keys: dict[str, tuple[float, ...]] = {}
    for name, tag in _KEYS.items():
        text = _text(header, tag)
        try:
            keys[name] = (float(text),)
        except ValueError:  # missing, or nothing to go by
            continue
    seconds = seconds_of(_text(header, _ACQUISITION_TIME))
    if seconds is not None:
        keys["acquisition time"] = (seconds,)
    return keys


def _text(header: Any, key: str) -> str:
    """The value of a tag, `"group|element"`; empty if the file doesn't have it."""
    return str(header.GetMetaData(key)).strip() if header.HasMetaDataKey(key) else ""
