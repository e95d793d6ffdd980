"""What is known of one frame of a series, read for `dlir-tf track`."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dlir_tf.errors import InputError
from dlir_tf.images import Frames, Image, read_labels_of
from dlir_tf.images.points import is_markups_name, read_point_file
from dlir_tf.images.segments import names_of_segments
from dlir_tf.series.order import existing_frame
from dlir_tf.series.results import Known
from dlir_tf.series.strain import ring_directions


def read_known(
    frames: Frames,
    reference: int | None,
    headers: dict[str, Any],
    tell: Callable[[str], None],
    labels: Path | None,
    points: Path | None,
    labels_frame: int | None,
    strain: int | None,
    interpolation: str,
) -> Known:
    """Reads what is carried along, before any work is done.

    Args:
        frames: Of the series.
        reference: The frame that all are registered to; `None` for their mean.
        headers: Which of a header's statements are believed.
        tell: Is called with what the user should know.
        labels: Of one frame; or none.
        points: Landmarks in it; or none.
        labels_frame: Which one it is; `None` for the reference.
        strain: The label whose strain is measured; or none.
        interpolation: Of the labels.

    Raises:
        InputError: If these don't fit the series, or each other.
    """
    if labels is None and strain is not None:
        raise InputError("--strain: needs the myocardium in --labels; give both")
    if labels is None and points is None:
        if labels_frame is not None:
            raise InputError(
                "--labels-frame: is for --labels and --points, of which none is given"
            )
        return Known(reference or 0)
    if labels_frame is None and reference is None:
        raise InputError(
            "--labels-frame: must say which frame --labels and --points are of, as the "
            "reference is the mean of all frames"
        )
    frame = reference if labels_frame is None else labels_frame
    frame = existing_frame("--labels-frame", frame or 0, len(frames))
    image = file = None
    if labels is not None:
        image = read_labels_of(labels, frames[0], **headers)
        if not image.array.any():
            raise InputError(
                f"{labels}: every voxel is 0, so there is nothing to carry"
            )
        _tell_of_names(labels, image, tell)
        if strain is not None:
            try:
                ring_directions(image, strain)
            except InputError as error:
                raise error.within(labels) from error
    if points is not None:
        file = read_point_file(points), _point_suffix(points)
        ndim = file[0].points.shape[1]
        if ndim != frames[0].ndim:
            raise InputError(
                f"{points}: landmarks of {frames[0].ndim}-d frames must have "
                f"{frames[0].ndim} coordinates. Received: {ndim}"
            )
    return Known(frame, image, file, strain, interpolation)


def _tell_of_names(path: Path, labels: Image, tell: Callable[[str], None]) -> None:
    """Says which names the numbers have that stand for segments from here on."""
    names = names_of_segments(labels.segments)
    if names:
        told = ", ".join(f"{number} is {name}" for number, name in names.items())
        tell(
            f"{path}: labels of a series have no names and colours of segments, so "
            f"results have their numbers alone: {told}"
        )


def _point_suffix(points: Path) -> str:
    if is_markups_name(points):
        return ".mrk.json"
    return points.suffix or ".csv"
