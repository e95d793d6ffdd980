"""OME-TIFF: a microscope's picture with several channels, through tifffile.

Pillow reads neither channels in pages of their own nor more than four. tifffile is an
extra (`pip install dlir-tf[ome]`). The size of a pixel is the one that OME's metadata
state; ITK reads such a file as a plain TIFF, with the resolution of that.
"""

import importlib
import math
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf.errors import InputError

SUFFIXES = (".ome.tif", ".ome.tiff")
_MM = {"nm": 1e-6, "µm": 1e-3, "um": 1e-3, "mm": 1.0, "cm": 10.0, "m": 1e3}
_DEFAULT_UNIT = "µm"


def read_ome(
    path: Path, most_bytes: int | None
) -> tuple[np.ndarray, tuple[float, float] | None, bool] | None:
    """Reads the first image of an OME-TIFF file.

    Args:
        path: The file, whose name ends with one of `SUFFIXES`.
        most_bytes: That its voxels may take; or `None`.

    Returns:
        `(rows, columns)` or `(rows, columns, channels)`; width and height of a pixel in
        mm, if they are stated; and whether the channels are colours. `None` if the file
        has no metadata of OME, and is a plain TIFF.

    Raises:
        InputError: If tifffile isn't installed, or it's a stack or a series in time, or
            too large.
    """
    try:
        tifffile: Any = importlib.import_module("tifffile")
    except ModuleNotFoundError as error:
        raise InputError(
            f"{path}: OME-TIFF needs tifffile, which isn't installed; `pip install "
            "dlir-tf[ome]` brings it"
        ) from error
    with tifffile.TiffFile(path) as file:
        if not file.is_ome:
            return None
        series = file.series[0]
        sizes = dict(zip(series.axes, series.shape, strict=True))
        others = {a: n for a, n in sizes.items() if a not in "YXCS" and n > 1}
        if others or not {"X", "Y"} <= set(sizes):
            found = ", ".join(f"{axis}: {size}" for axis, size in sizes.items())
            raise InputError(
                f"{path}: must be one picture with channels, but its axes are {found}; "
                "save the plane that is meant in its own file"
            )
        takes = math.prod(series.shape) * series.dtype.itemsize
        if most_bytes is not None and takes > most_bytes:
            raise InputError(
                f"{path}: takes {takes / 1e9:.3g} GB of memory or more, of which "
                f"{most_bytes / 1e9:.3g} GB are free; crop it, or save it at a lower "
                "resolution"
            )
        array = _in_order(np.asarray(series.asarray()), series.axes)
        size = _pixel_size(tifffile.xml2dict(file.ome_metadata))
    return array, size, "S" in sizes and sizes.get("C", 1) == 1


def _in_order(array: np.ndarray, axes: str) -> np.ndarray:
    """Rows, columns and, if there are several, channels; the samples of each last."""
    kept = [axis for axis in axes if axis in "YXCS"]
    array = array.reshape(
        [size for axis, size in zip(axes, array.shape, strict=True) if axis in kept]
    )
    order = [kept.index(axis) for axis in "YXCS" if axis in kept]
    array = array.transpose(order)
    channels = math.prod(array.shape[2:])
    return array.reshape(array.shape[:2] + ((channels,) if channels > 1 else ()))


def _pixel_size(metadata: dict[str, Any]) -> tuple[float, float] | None:
    """Width and height of a pixel in mm, as OME states them."""
    images = metadata.get("OME", metadata).get("Image", {})
    pixels = (images[0] if isinstance(images, list) else images).get("Pixels", {})
    found = []
    for axis in "XY":
        size = pixels.get(f"PhysicalSize{axis}")
        unit = str(pixels.get(f"PhysicalSize{axis}Unit", _DEFAULT_UNIT))
        if size is None or unit not in _MM or not float(size) > 0:
            return None
        found.append(float(size) * _MM[unit])
    return found[0], found[1]
