"""Reading a series: one file with time, or a file or folder for each frame."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.images import (
    Frames,
    Image,
    OrientationSource,
    SpacingSource,
    read_frames,
)
from dlir_tf.series.order import check_series

# Headers that were written by different programs round differently.
_MOST_APART = 0.01  # of the voxel size


def read_series(
    paths: Sequence[Path],
    *,
    spacing_source: SpacingSource = "auto",
    orientation_source: OrientationSource = "auto",
    channel: int | None = None,
    usual_channel: int | None = None,
) -> Frames:
    """Reads a series of at least two frames.

    Args:
        paths: One series in time, or its frames in their order, each in a file, or in
            a folder that holds a DICOM series.
        spacing_source: As in `dlir_tf.read_image`.
        orientation_source: Likewise.
        channel: Of frames with several numbers a voxel, as in `dlir_tf.read_image`;
            some must have them.
        usual_channel: Of such frames, if there are any, where none is asked for.

    Returns:
        The frames, on one grid. What is in files of its own has no step of time.

    Raises:
        InputError: If one can't be read, there is one frame alone, frames don't lie
            on one grid, or a channel is asked for of grey values.
    """
    series = [
        read_frames(
            path,
            spacing_source=spacing_source,
            orientation_source=orientation_source,
            channel=channel or usual_channel,
        )
        for path in paths
    ]
    name = str(paths[0])
    have_channels = any(frame.channels is not None for one in series for frame in one)
    if channel is not None and not have_channels:
        raise InputError(
            f"--channel {channel} (channel in Python): no frame of {name} has several "
            "channels; leave it out"
        )
    if len(series) == 1:
        check_series(series[0], name)
        return series[0]
    for path, one in zip(paths, series, strict=True):
        if len(one) > 1:
            raise InputError(
                f"{path}: has {len(one)} frames of its own; give one series, or files "
                "of one frame each"
            )
        _check_grid(path, one[0], paths[0], series[0][0])
    first = series[0][0]
    images = [
        Image(one[0].array, first.affine, first.header, one[0].channels)
        for one in series
    ]
    frames = replace(series[0], images=tuple(images))
    check_series(frames, f"{name} and others")
    return frames


def _check_grid(path: Path, frame: Image, first_path: Path, first: Image) -> None:
    cure = "add what is missing, or resample it onto that grid (dlir-tf transform)"
    if frame.shape != first.shape:
        raise InputError(
            f"{path}: all frames must lie on one grid, but its shape is {frame.shape} "
            f"and that of {first_path} is {first.shape}; {cure}"
        )
    apart = frame.grid.distance_to(first.grid)
    if apart > _MOST_APART * min(first.spacing):
        raise InputError(
            f"{path}: all frames must lie on one grid, but it lies {apart:.3g} mm away "
            f"from {first_path}; {cure}"
        )
