"""The segments of a `.seg.nrrd` file of 3D Slicer: their names, colours and terms.

The file holds them as keys, `Segment0_Name` and the like, beside a label image; they go
with the labels wherever these are carried. Segments that overlap are in several layers,
along a list axis, which no label image can be.

Format: https://slicer.readthedocs.io/en/latest/developer_guide/modules/segmentations.html
"""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images.image import Image
from dlir_tf.images.itk_files import to_itk, write_with_itk
from dlir_tf.images.writing import cast_voxels

SUFFIXES = (".nrrd", ".nhdr")
_VALUE = re.compile(r"Segment(\d+)_LabelValue")
# What depends on the old grid; Slicer has its own answer where they're missing.
_OF_THE_GRID = ("Segmentation_ConversionParameters",)
_OFFSET = "Segmentation_ReferenceImageExtentOffset"


def check_one_layer(path: Path, segments: Mapping[str, str], num_layers: int) -> None:
    """Refuses segments that overlap.

    Raises:
        InputError: If they're in several layers.
    """
    if segments and num_layers > 1:
        raise InputError(
            f"{path}: the segments must not overlap, but are in {num_layers} layers; "
            "export them from 3D Slicer as a label map, or one by one"
        )


def write_segments(path: Path, image: Image, segments: Mapping[str, str]) -> None:
    """Writes labels with their segments.

    Args:
        path: A name that ends with one of `SUFFIXES`.
        image: The labels, in the dtype that the file gets.
        segments: The keys of the file that they come from.

    Raises:
        InputError: If the name, the folder or the values don't allow it.
    """
    array = cast_voxels(image.array, image.array.dtype, path)
    written = to_itk(array, image.affine, 0.0)
    for key, text in _on_grid(segments, array).items():
        written.SetMetaData(key, text)
    write_with_itk(path, written)


def _on_grid(segments: Mapping[str, str], array: np.ndarray) -> dict[str, str]:
    """The same keys with the extents that the segments have in other labels."""
    kept = {key: text for key, text in segments.items() if key not in _OF_THE_GRID}
    for key, text in segments.items():
        match = _VALUE.fullmatch(key)
        if match is not None and text.strip().isdecimal():
            kept[f"Segment{match[1]}_Extent"] = _extent(array == int(text))
    if _OFFSET in kept:
        kept[_OFFSET] = " ".join(["0"] * array.ndim)
    return kept


def _extent(inside: np.ndarray) -> str:
    """First and last voxel along each axis, as Slicer has them; 0 and -1 of none."""
    if not inside.any():
        return " ".join(["0 -1"] * inside.ndim)
    ends = []
    for axis in range(inside.ndim):
        others = tuple(n for n in range(inside.ndim) if n != axis)
        found = np.flatnonzero(inside.any(axis=others))
        ends.append(f"{found[0]} {found[-1]}")
    return " ".join(ends)
