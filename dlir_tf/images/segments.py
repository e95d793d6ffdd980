"""The segments of a `.seg.nrrd` file of 3D Slicer: their names, colours and terms.

The file holds them as keys, `Segment0_Name` and the like, beside a label image; they go
with the labels wherever these are carried. Segments that overlap are in several layers,
along a list axis, of which each is a label image.

Format: https://slicer.readthedocs.io/en/latest/developer_guide/modules/segmentations.html
"""

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from dlir_tf.files import known_as
from dlir_tf.images.casting import cast_voxels
from dlir_tf.images.image import Image
from dlir_tf.images.itk_files import to_itk, with_channels, write_with_itk

SUFFIXES = (".nrrd", ".nhdr")
_SEGMENT = re.compile(r"Segment(\d+)_(\w+)")
_VALUE = re.compile(r"Segment(\d+)_LabelValue")
# What depends on the old grid; Slicer has its own answer where they're missing.
_OF_THE_GRID = ("Segmentation_ConversionParameters",)
_OFFSET = "Segmentation_ReferenceImageExtentOffset"


def write_segments(
    path: Path, layers: Sequence[Image], segments: Mapping[str, str]
) -> None:
    """Writes labels with their segments.

    Args:
        path: A name that ends with one of `SUFFIXES`.
        layers: The labels, on one grid, in the dtype that the file gets.
        segments: The keys of the file that they come from.

    Raises:
        InputError: If the name, the folder or the values don't allow it.
    """
    arrays = [cast_voxels(image.array, image.array.dtype, path) for image in layers]
    written = to_itk(arrays[0], layers[0].affine, 0.0)
    if len(arrays) > 1:
        written = with_channels(written, np.stack(arrays, axis=-1))
    for key, text in _on_grid(segments, arrays).items():
        written.SetMetaData(key, text)
    write_with_itk(path, written, listed=len(arrays) > 1)


def warn_of_loss(path: Path) -> None:
    """Warns that a file of such a name doesn't keep what is said of segments."""
    warnings.warn(
        f"{known_as(path)}: names and colours of the segments are lost; only a name "
        "that ends with .seg.nrrd keeps them",
        stacklevel=3,
    )


def names_of_segments(segments: Mapping[str, str]) -> dict[int, str]:
    """What the labels are called, by their numbers."""
    names = {}
    for key, text in segments.items():
        match = _VALUE.fullmatch(key)
        name = segments.get(f"Segment{match[1]}_Name", "") if match else ""
        if name and text.strip().isdecimal():
            names[int(text)] = name
    return names


def of_first_layer(segments: Mapping[str, str]) -> dict[str, str]:
    """What is said of the segments in the first layer, which are counted anew."""
    kept, numbers = dict[str, str](), dict[str, int]()
    for key, text in segments.items():
        match = _SEGMENT.fullmatch(key)
        if match is None:
            kept[key] = text
        elif segments.get(f"Segment{match[1]}_Layer", "0").strip() == "0":
            number = numbers.setdefault(match[1], len(numbers))
            kept[f"Segment{number}_{match[2]}"] = text
    return kept


def _on_grid(
    segments: Mapping[str, str], layers: Sequence[np.ndarray]
) -> dict[str, str]:
    """The same keys with the extents that the segments have in other labels."""
    kept = {key: text for key, text in segments.items() if key not in _OF_THE_GRID}
    for key, text in segments.items():
        match = _VALUE.fullmatch(key)
        if match is not None and text.strip().isdecimal():
            number = f"Segment{match[1]}"
            layer = segments.get(f"{number}_Layer", "0").strip()
            if layer.isdecimal() and int(layer) < len(layers):
                inside = layers[int(layer)] == int(text)
                kept[f"{number}_Extent"] = _extent(inside)
    if _OFFSET in kept:
        kept[_OFFSET] = " ".join(["0"] * layers[0].ndim)
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
