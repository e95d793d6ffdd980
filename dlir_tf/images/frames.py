"""Time series: files of several volumes on one grid, as their frames and back.

Time is the fourth axis of a file, of 2-d series too, whose third axis has length 1.
A NRRD file may also hold it as a `list` axis before the others (a sequence of Slicer).
Channels along a fourth axis can't be told from time; vectors and a fifth axis are told
and refused. Images in colours are frames with channels; files of series that are
written have one number a voxel.
"""

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from dlir_tf.errors import InputError
from dlir_tf.files import known_as
from dlir_tf.images.casting import cast_voxels
from dlir_tf.images.contents import Contents, check_numbers, without_single_axes
from dlir_tf.images.formats import (
    IMAGE_SUFFIXES,
    NIFTI_SUFFIXES,
    WRITABLE_SUFFIXES,
    writable_suffix,
)
from dlir_tf.images.frame import SpacingSource, place
from dlir_tf.images.grid import in_space
from dlir_tf.images.image import Image
from dlir_tf.images.orientation import OrientationSource, orient
from dlir_tf.images.reading import load, of_one_number
from dlir_tf.images.segments import SUFFIXES as SEGMENT_SUFFIXES
from dlir_tf.images.segments import segments_of, warn_of_loss, write_segments
from dlir_tf.images.writing import save_image, write_image

_TIME_UNITS = ("sec", "msec", "usec", "unknown")
_NOT_TIME_INTENTS = (*range(1004, 1011), *range(2003, 2006))  # matrices, vectors, RGB


@dataclass(frozen=True, eq=False)
class Frames(Sequence[Image]):
    """The frames of a time series, or the one of a plain image.

    Attributes:
        images: The frames, all on one grid; of a segmentation of 3D Slicer whose
            segments overlap, its layers.
        time_step: Time between two frames, in `time_unit`; 0 if it isn't stated.
        time_unit: `"sec"`, `"msec"`, `"usec"` or `"unknown"`.
        segments: What a segmentation of 3D Slicer says of its segments.
    """

    images: tuple[Image, ...]
    time_step: float = 0.0
    time_unit: str = "unknown"
    segments: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Number of frames; 1 for a plain image."""
        return len(self.images)

    @overload
    def __getitem__(self, index: int) -> Image: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Image, ...]: ...

    def __getitem__(self, index: int | slice) -> Image | tuple[Image, ...]:
        """The frame, or frames, at a place in time."""
        return self.images[index]


def read_frames(
    path: str | os.PathLike[str],
    *,
    spacing_source: SpacingSource = "auto",
    orientation_source: OrientationSource = "auto",
    channel: int | None = None,
) -> Frames:
    """Reads a file as its frames: 3-d+t or 2-d+t, or a plain image as one frame.

    The frames are views of the file's voxels, in its dtype, as `read_image` keeps it.

    Args:
        path: A file of any format that `read_image` reads.
        spacing_source: As in `read_image`.
        orientation_source: Likewise.
        channel: Likewise; where none is asked for, the first of channels that are no
            colours.

    Returns:
        The frames; `(i, j, 1)` each where the file has a third axis of length 1.

    Raises:
        InputError: As `read_image`, though a single value everywhere is allowed; or
            if the fourth axis isn't time, or there is a fifth one.
    """
    path = Path(path)
    contents, channels = of_one_number(path, load(path), channel, needed=False)
    array = without_single_axes(contents.array)
    _check_time(path, contents, array)
    check_numbers(path, contents)
    contents = orient(path, contents, orientation_source)
    affine = place(path, contents, spacing_source)
    volumes = _volumes(array)
    colours: Sequence[np.ndarray | None] = [channels] * len(volumes)
    if channels is not None and array.ndim == 4:
        colours = list(np.moveaxis(channels, 3, 0))
    return Frames(
        tuple(
            Image(volume, affine, contents.header, of_all, meaning=contents.header)
            for volume, of_all in zip(volumes, colours, strict=True)
        ),
        contents.time_step if array.ndim == 4 else 0.0,
        contents.time_unit if contents.time_unit in _TIME_UNITS else "unknown",
        contents.segments,
    )


def _volumes(array: np.ndarray) -> np.ndarray:
    """The volumes of a series, or the one, along the first axis."""
    return np.moveaxis(array, 3, 0) if array.ndim == 4 else array[None]


def write_frames(
    path: str | os.PathLike[str],
    frames: Sequence[Image],
    *,
    time_step: float = 0.0,
    time_unit: str = "unknown",
    dtype: npt.DTypeLike | None = None,
    segments: Mapping[str, str] | None = None,
) -> None:
    """Writes frames as one file with a time axis, or one frame as a plain image.

    2-d frames become `(i, j, 1, time)`. MetaImage and NRRD keep the step of time, but
    not its unit.

    Args:
        path: A name that ends with one of `WRITABLE_SUFFIXES`; for one 2-d frame also
            that of a picture.
        frames: What to write, all on one grid; the first one's header is kept as in
            `write_image`.
        time_step: Time between two frames, in `time_unit`, best that of the `Frames`
            that were read; 0 if it isn't known.
        time_unit: `"sec"`, `"msec"`, `"usec"` or `"unknown"`.
        dtype: As in `write_image`; `None` keeps that of the first frame.
        segments: Those of the labels, best of the `Frames` that were read; only NRRD
            files hold them, for others a warning says that they are lost.

    Raises:
        InputError: If the name, the folder or the values don't allow it.
    """
    path = Path(path)
    writable_suffix(path, IMAGE_SUFFIXES if len(frames) == 1 else WRITABLE_SUFFIXES)
    if not frames or time_unit not in _TIME_UNITS:
        raise ValueError(
            f"write_frames: expected frames and a unit of {_TIME_UNITS}. "
            f"Received: {len(frames)} frames, {time_unit!r}"
        )
    first = frames[0]
    for frame in frames:
        if frame.shape != first.shape or not np.allclose(frame.affine, first.affine):
            raise ValueError(
                f"write_frames: expected all frames on one grid, {first.shape}. "
                f"Received: {frame.shape}"
            )
    if segments and writable_suffix(path) in SEGMENT_SUFFIXES:
        write_segments(path, frames, segments)
        return
    if segments:
        warn_of_loss(path, replace(first, segments=segments))
    if len(frames) == 1:
        write_image(path, first, dtype=dtype)
        return
    lost = not segments and writable_suffix(path) not in NIFTI_SUFFIXES
    if lost and segments_of(first):
        warn_of_loss(path, first)
    if first.channels is not None:
        warnings.warn(
            f"{known_as(path)}: a series has no colours; what is written is the "
            "luminance of its frames, or the channel that was chosen",
            stacklevel=2,
        )
    kind = np.dtype(dtype or first.array.dtype)
    stored = cast_voxels(first.array[:0], kind, path).dtype
    spatial = (*first.shape, 1)[:3]
    array = np.empty((*spatial, len(frames)), stored, order="F")
    for number, frame in enumerate(frames):
        array[..., number] = cast_voxels(frame.array, kind, path).reshape(spatial)
    affine = in_space(first.affine) if first.ndim == 2 else first.affine
    save_image(path, array, affine, first.header, (time_step, time_unit), first.meaning)


def _check_time(path: Path, contents: Contents, array: np.ndarray) -> None:
    """Refuses axes that aren't i, j, k and time."""
    if contents.num_components > 1:
        return  # colours or vectors, which is worth a sentence of its own
    header = contents.header
    intent = int(header["intent_code"]) if header is not None else 0
    shape = contents.array.shape
    if array.ndim == 4 and intent in _NOT_TIME_INTENTS:
        problem = f"its intent code {intent} says the last axis holds parts of a voxel"
    elif array.ndim == 4 and contents.time_unit not in _TIME_UNITS:
        problem = f"the unit of its fourth axis is {contents.time_unit}"
    elif array.ndim not in (2, 3, 4) or not array.size:
        problem = f"its shape is {shape}"
    else:
        return
    raise InputError(
        f"{path}: must be an image or a series of images in time, but {problem}; "
        "extract what is meant into its own file"
    )
