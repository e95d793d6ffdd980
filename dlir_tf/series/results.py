"""What a run writes: into its folder, all together."""

import csv
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf._version import __version__
from dlir_tf.apply import turn_normals
from dlir_tf.errors import counted
from dlir_tf.files import make_folder, write_together
from dlir_tf.images import Frames, Image, write_frames
from dlir_tf.images.points import PointFile
from dlir_tf.series.labels import ejection_fractions, labels_in_frames, volumes
from dlir_tf.series.strain import strain_in_frames
from dlir_tf.series.tracking import Tracking
from dlir_tf.transforms import Transform, write_transform

TRANSFORM_SUFFIXES = (".npz", ".h5", ".tfm", ".nii.gz")
_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}

Writer = Callable[[Path], object]


@dataclass(frozen=True, eq=False)
class Known:
    """What is known of one frame, to be told of all.

    Attributes:
        frame: Its number, from 0.
        labels: On its grid; or none.
        points: Landmarks in it, and the end of their files' names; or none.
        strain: The label whose strain is measured; or none.
        interpolation: Of the labels, `"label"` or `"nearest"`.
    """

    frame: int
    labels: Image | None = None
    points: tuple[PointFile, str] | None = None
    strain: int | None = None
    interpolation: str = "label"


def write_results(
    folder: Path,
    tracking: Tracking,
    known: Known,
    *,
    series: Sequence[Path] = (),
    image_suffix: str = ".nii.gz",
    transform_suffix: str = ".npz",
    tell: Callable[[str], None] = lambda line: None,
) -> list[Path]:
    """Writes all of a run: all files, or none.

    Args:
        folder: Made if it isn't there.
        tracking: What was found.
        known: What is carried along.
        series: The files that were registered, to be found again from the folder.
        image_suffix: Of the series that are written.
        transform_suffix: Of the transforms, one of `TRANSFORM_SUFFIXES`.
        tell: Is called with what the user should know.

    Returns:
        The files beside those of single frames.
    """
    writers: dict[Path, Writer] = {}
    corrected = tracking.corrected
    writers[folder / f"corrected{image_suffix}"] = partial(_write_series, corrected)
    rows = [astuple(outcome) for outcome in tracking.outcomes]
    names = [field.name for field in fields(tracking.outcomes[0])]
    writers[folder / "frames.csv"] = partial(_write_csv, names, rows)
    if known.labels is not None:
        writers |= _of_labels(folder, tracking, known, image_suffix)
    moved = None
    if known.points is not None:
        file, _ = known.points
        _tell_of_lost(tracking, file.points, known.frame, tell)
        moved = tracking.points_in_frames(file.points, known.frame)
        told = _displacements(moved, moved[known.frame])
        writers[folder / "displacements.csv"] = partial(_write_csv, *told)
    run = _told(tracking, known) | {"series": [_seen_from(folder, p) for p in series]}
    writers[folder / "series.json"] = partial(_write_json, run)
    errors: list[float] = []
    single = _of_frames(folder, tracking, known, moved, transform_suffix, errors)
    for path in single:
        make_folder(path.parent)
    write_together(single | writers)
    if max(errors) > 0:
        tell(
            f"{folder}: files that end with {transform_suffix} can't hold all "
            f"transforms exactly; they are up to {max(errors):.2g} mm off"
        )
    return list(writers)


def _tell_of_lost(
    tracking: Tracking, points: np.ndarray, frame: int, tell: Callable[[str], None]
) -> None:
    """Says how many landmarks nothing was found for."""
    # All frames have their splines on one lattice, so one of them speaks for all.
    other = 0 if frame else 1
    lost = np.count_nonzero(~tracking.between(frame, other).covers(points))
    if lost:
        of = f"of {len(points)} landmarks"
        tell(
            f"{counted(lost, f'{of} lies', f'{of} lie')} where the transforms weren't "
            "made for (outside the frames, say, or beside their slice), or where one "
            "folds; "
            "where they are followed to can't be trusted"
        )


def _of_labels(
    folder: Path, tracking: Tracking, known: Known, image_suffix: str
) -> dict[Path, Writer]:
    """Labels in all frames, and what is measured by them."""
    from dlir_tf.figures.over_time import curve_figure  # matplotlib takes long

    labels = known.labels
    if labels is None:
        return {}
    carried = labels_in_frames(
        tracking, labels, known.frame, interpolation=known.interpolation
    )
    measured = volumes(carried)
    value = "volume_ml" if labels.ndim == 3 else "area_mm2"
    rows = [
        (frame, label, round(volume, 4))
        for label, all_frames in measured.items()
        for frame, volume in enumerate(all_frames)
    ]
    fractions = ejection_fractions(measured)
    axis = _times(tracking.frames)
    writers: dict[Path, Writer] = {
        folder / f"labels{image_suffix}": partial(_write_series, carried),
        folder / "volumes.csv": partial(_write_csv, ["frame", "label", value], rows),
        folder / "ejection.csv": partial(
            _write_csv, list(asdict(fractions[0])), [astuple(one) for one in fractions]
        ),
        folder / "volumes.png": partial(
            curve_figure,
            curves={f"label {label}": all_ for label, all_ in measured.items()},
            value="volume (ml)" if labels.ndim == 3 else "area (mm²)",
            **axis,
        ),
    }
    if known.strain is not None:
        strain = strain_in_frames(tracking, labels, known.strain, known.frame)
        writers[folder / "strain.csv"] = partial(
            _write_csv, list(asdict(strain[0])), [astuple(one) for one in strain]
        )
        writers[folder / "strain.png"] = partial(
            curve_figure,
            curves={
                name: [getattr(one, name) for one in strain]
                for name in ("radial", "circumferential")
            },
            value="Green-Lagrange strain",
            **axis,
        )
    return writers


def _of_frames(
    folder: Path,
    tracking: Tracking,
    known: Known,
    moved: np.ndarray | None,
    suffix: str,
    errors: list[float],
) -> dict[Path, Writer]:
    """The files of single frames: transforms, their inverses, landmarks.

    How far off a file is, in mm, is added to the errors when it's written.
    """
    writers: dict[Path, Writer] = {}
    width = len(str(len(tracking.frames) - 1))
    grid = tracking.reference
    for number, transform in enumerate(tracking.transforms):
        name = f"frame_{number:0{width}d}"
        both = {"transforms": transform, "inverses": transform.inverse()}
        for kind, one in both.items():
            path = folder / kind / f"{name}{suffix}"
            writers[path] = partial(
                _write_transform, transform=one, grid=grid, errors=errors
            )
        if known.points is not None and moved is not None:
            file, end = known.points
            turned = turn_normals(file, tracking.between(known.frame, number))
            writers[folder / "points" / f"{name}{end}"] = partial(
                turned.write, points=moved[number]
            )
    return writers


def _displacements(
    moved: np.ndarray, start: np.ndarray
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Where landmarks are in each frame, and how far from where they were given, mm."""
    names = "xyz"[: moved.shape[-1]]
    columns = ["frame", "point", *names, *(f"d{name}" for name in names), "distance"]
    rows = []
    for frame, points in enumerate(moved):
        away = points - start
        lengths = np.linalg.norm(away, axis=1)
        for point, numbers in enumerate(np.column_stack([points, away, lengths])):
            rounded = [round(float(number), 4) + 0.0 for number in numbers]
            rows.append((frame, point, *rounded))
    return columns, rows


def _told(tracking: Tracking, known: Known) -> dict[str, Any]:
    """What the run was, for whoever finds the folder."""
    reference = tracking.reference_frame
    return {
        "frames": len(tracking.frames),
        "reference": "mean" if reference is None else reference,
        "labels_frame": known.frame,
        "time_step": tracking.frames.time_step,
        "time_unit": tracking.frames.time_unit,
        "choices": list(tracking.choices),
        "versions": {"dlir_tf": __version__},
        "format_version": 1,
    }


def _seen_from(folder: Path, path: Path) -> str:
    """The way from the folder to a file, so that both can be moved together."""
    way = os.path.relpath(path.resolve(), folder.resolve())
    return Path(way).as_posix()


def _times(frames: Frames) -> dict[str, Any]:
    """The axis of time of a plot: seconds, if the series states them."""
    second = _SECONDS.get(frames.time_unit, 0.0) * frames.time_step
    if not second:
        return {}
    return {"times": [n * second for n in range(len(frames))], "time": "time (s)"}


def _write_series(frames: Frames, draft: Path) -> None:
    write_frames(draft, frames, time_step=frames.time_step, time_unit=frames.time_unit)


def _write_transform(
    draft: Path, transform: Transform, grid: Image, errors: list[float]
) -> None:
    errors.append(write_transform(draft, transform, reference=grid))


def _write_csv(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], draft: Path
) -> None:
    with draft.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def _write_json(told: dict[str, Any], draft: Path) -> None:
    draft.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
