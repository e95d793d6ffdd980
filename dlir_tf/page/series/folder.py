"""The folder that `dlir-tf track` wrote, as what a page is made of."""

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images import Frames, Image, names_a_series, read_frames
from dlir_tf.images.formats import WRITABLE_SUFFIXES
from dlir_tf.page.series.contents import SeriesContents
from dlir_tf.transforms import Transform, read_transform
from dlir_tf.transforms.files.dispatch import TRANSFORM_SUFFIXES

RUN = "series.json"
_FRAME = re.compile(r"frame_(\d+)\.")
_WORDS = {"start", "similarity_kind", "failure"}


def is_series_folder(folder: Path) -> bool:
    """Whether `dlir-tf track` wrote it.

    Raises:
        InputError: If it has begun to, and isn't done.
    """
    if (folder / RUN).is_file():
        return True
    if (folder / "unfinished").is_dir():
        raise InputError(
            f"{folder}: holds a run of dlir-tf track that was interrupted; call that "
            "again with the same options, and it goes on"
        )
    return False


def series_named_in(folder: Path) -> list[Path]:
    """The files that were registered, as the run has noted them.

    Raises:
        InputError: If it hasn't, or one isn't there any more.
    """
    cure = "give the series by --moving"
    named = _run_of(folder).get("series")
    if not isinstance(named, list) or not named:
        raise InputError(f"{folder / RUN}: doesn't say what was registered; {cure}")
    paths = [Path(str(name)) for name in named]
    paths = [path if path.is_absolute() else folder / path for path in paths]
    for path in paths:
        if not (path.exists() or names_a_series(path)):
            raise InputError(
                f"{path}: isn't there any more, and {folder} holds but what was made "
                f"of it; {cure}"
            )
    return paths


def read_series_folder(
    folder: Path, frames: Frames, title: str, reference: Image | None = None
) -> SeriesContents:
    """Reads what a page shows of a series.

    Args:
        folder: That `dlir-tf track` wrote.
        frames: The series that was registered.
        title: Of the page.
        reference: What it was registered to, if it's at hand; otherwise it's one of the
            frames, or the mean of the corrected ones.

    Raises:
        InputError: If a file is missing or damaged, or the series is another one.
    """
    run = _run_of(folder)
    corrected = _series(folder, "corrected", frames)
    if corrected is None:
        raise InputError(f"{folder}: has no corrected series, which a page shows")
    number = run.get("reference")
    number = number if isinstance(number, int) else None
    _check_frame(folder, number, len(frames))
    notes: tuple[str, ...] = ()
    if reference is None:
        reference = frames[number] if number is not None else _mean(corrected)
        if number is None:
            notes = ("The reference is shown as the mean of the corrected frames.",)
    transforms = _transforms(folder, frames)
    labels = _series(folder, "labels", frames)
    tables = {
        name: _rows(folder / f"{name}.csv", len(frames))
        for name in ("frames", "volumes", "ejection", "strain", "displacements")
    }
    return SeriesContents(
        reference=reference,
        reference_frame=number,
        frames=frames,
        corrected=corrected,
        transforms=transforms,
        title=title,
        labels=labels,
        reference_labels=_of_reference(labels, reference, number, transforms, run),
        outcomes=tables["frames"],
        volumes=tables["volumes"],
        ejection=tables["ejection"],
        strain=tables["strain"],
        displacements=tables["displacements"],
        run=run,
        notes=notes,
    )


def _run_of(folder: Path) -> dict[str, Any]:
    path = folder / RUN
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise InputError(f"{path}: is not what dlir-tf track wrote; call it again")
    return found


def _series(folder: Path, name: str, frames: Frames) -> Frames | None:
    """A series of the folder, on the grid of the frames; none if it isn't there."""
    found = [
        folder / f"{name}{suffix}"
        for suffix in WRITABLE_SUFFIXES
        if (folder / f"{name}{suffix}").is_file()
    ]
    if not found:
        return None
    series = read_frames(found[0])
    # Headers that were written by different programs round differently.
    apart = np.inf
    if series[0].shape == frames[0].shape:
        apart = series[0].grid.distance_to(frames[0].grid)
    if len(series) != len(frames) or apart > 0.01 * min(frames[0].spacing):
        raise InputError(
            f"{found[0]}: belongs to {len(series)} frames of shape {series[0].shape}, "
            f"but the series has {len(frames)} of shape {frames[0].shape}, or lies "
            "elsewhere; give the one that was registered by --moving"
        )
    return series


def _transforms(folder: Path, frames: Frames) -> tuple[Transform, ...]:
    found: dict[int, Path] = {}
    for path in sorted((folder / "transforms").glob("frame_*")):
        match = _FRAME.match(path.name)
        if match and path.name.endswith(TRANSFORM_SUFFIXES):
            found[int(match[1])] = path
    missing = [n for n in range(len(frames)) if n not in found]
    if missing:
        raise InputError(
            f"{folder / 'transforms'}: has no transform of frame {missing[0]}; a page "
            "needs those of all frames"
        )
    transforms = tuple(read_transform(found[n]) for n in range(len(frames)))
    for n, transform in enumerate(transforms):
        if transform.ndim != frames[0].ndim:
            raise InputError(
                f"{found[n]}: is {transform.ndim}-d, but the frames are "
                f"{frames[0].ndim}-d"
            )
    return transforms


def _rows(path: Path, num_frames: int) -> Sequence[dict[str, str]]:
    """A table, whose columns are numbers but for those that hold words."""
    if not path.is_file():
        return ()
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        for row in rows:
            for name in row.keys() - _WORDS:
                float(row[name] or "nan")
            if not 0 <= int(row.get("frame", 0)) < num_frames:
                raise ValueError
    except (OSError, ValueError, TypeError, csv.Error) as error:
        raise InputError(
            f"{path}: is not what dlir-tf track wrote; put it back, or delete it"
        ) from error
    return rows


def _check_frame(folder: Path, number: int | None, count: int) -> None:
    if number is not None and not 0 <= number < count:
        raise InputError(
            f"{folder / RUN}: names frame {number} as the reference, but the series "
            f"has {count} frames; give the one that was registered by --moving"
        )


def _of_reference(
    labels: Frames | None,
    reference: Image,
    number: int | None,
    transforms: Sequence[Transform],
    run: dict[str, Any],
) -> Image | None:
    """The labels of the reference: of the frame, or carried from one to the mean."""
    if labels is None:
        return None
    if number is not None:
        return labels[number]
    given = run.get("labels_frame")
    given = given if isinstance(given, int) and 0 <= given < len(labels) else 0
    return transforms[given].resample(labels[given], reference, interpolation="nearest")


def _mean(frames: Frames) -> Image:
    mean = np.mean([frame.array for frame in frames], axis=0, dtype=np.float64)
    return frames[0].with_array(np.asarray(mean, np.float32))
