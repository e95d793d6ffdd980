"""Siemens' mosaics: all slices of a volume side by side, as tiles of one picture.

Only the headers of Siemens' own (CSA) tell how many tiles there are and to which side
the slices go on. The place that the file states is that of the whole picture, as if it
were one large slice with the same middle.

Reference: https://nipy.org/nibabel/dicom/dicom_mosaic.html
"""

import math
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images.dicom.plane import Plane, read_plane
from dlir_tf.images.headers.dicom_values import open_values

_CSA, _COUNT, _BETWEEN = (0x0029, 0x1010), (0x0019, 0x100A), (0x0018, 0x0088)
_REPETITION = (0x0018, 0x0080)


def read_mosaic(folder: Path, name: str, header: Any) -> list[Plane]:
    """The slices of a mosaic, in the order of its tiles.

    Args:
        folder: For messages.
        name: The file.
        header: As SimpleITK has opened it.

    Raises:
        InputError: If the file doesn't state its place, or how its tiles lie.
    """
    whole = read_plane(folder, name, header)
    with open_values(Path(name)) as values:
        csa = _csa_of(values.raw(_CSA))
        between = values.number(_BETWEEN, 0.0) or whole.thickness
        stated = int(values.number(_COUNT, 0))
        repetition = values.number(_REPETITION, 0.0)
    count = int(_numbers(csa, "NumberOfImagesInMosaic", [stated])[0])
    normal = np.array(_numbers(csa, "SliceNormalVector", []))
    across = math.isqrt(max(count - 1, 0)) + 1
    size = tuple(n // across for n in whole.size)
    if count < 1 or normal.shape != (3,) or between <= 0 or not all(size):
        raise InputError(
            f"{Path(name).name} is a mosaic of slices, but doesn't say how many it "
            "holds, to which side and how far apart they go on (its CSA header is "
            "gone); take the series as the scanner exports it, or convert it to NIfTI "
            "(dcm2niix)",
            place=folder,
        )
    if any(n % across for n in whole.size):
        raise InputError(
            f"{Path(name).name} is a mosaic of {count} slices, {across} in a row, "
            "which can't be of one size in "
            f"{whole.size[0]} x {whole.size[1]} pixels; take the series as the scanner "
            "exports it",
            place=folder,
        )
    in_plane = whole.axes[:, :2] * whole.spacing
    first = whole.position + in_plane @ (np.subtract(whole.size, size) / 2)
    side = 1.0 if normal @ whole.axes[:, 2] > 0 else -1.0
    step = whole.axes[:, 2] * side * between
    keys = {**whole.keys, "temporal resolution": (repetition,)}
    return [
        Plane(
            name,
            size,
            whole.spacing,
            first + step * number,
            whole.axes,
            whole.thickness,
            frame=number,
            pixel_type=whole.pixel_type,
            num_components=whole.num_components,
            uid=whole.uid,
            kind="",
            keys=keys,
        )
        for number in range(count)
    ]


def tiles(picture: np.ndarray, size: tuple[int, ...], count: int) -> np.ndarray:
    """The tiles of a picture `(i, j)`, one after another: `(i, j, count)`."""
    across = picture.shape[0] // size[0]
    found = [
        picture[
            n % across * size[0] : (n % across + 1) * size[0],
            n // across * size[1] : (n // across + 1) * size[1],
        ]
        for n in range(count)
    ]
    return np.stack(found, axis=-1)


def _csa_of(raw: bytes) -> dict[str, Any]:
    """Siemens' own header, as nibabel reads it; empty if there is none."""
    if not raw:
        return {}
    with warnings.catch_warnings():
        # nibabel calls its DICOM readers experimental as a whole.
        warnings.simplefilter("ignore", UserWarning)
        from nibabel.nicom import csareader
    try:
        return dict(csareader.read(raw)["tags"])
    except (csareader.CSAReadError, ValueError, struct.error, KeyError, IndexError):
        return {}


def _numbers(csa: dict[str, Any], name: str, default: list[float]) -> list[float]:
    try:
        return [float(item) for item in csa.get(name, {}).get("items") or default]
    except (TypeError, ValueError):
        return default
