"""Finds 4DCT stored as DICOM: a folder for each phase of breathing, with its series.

A phase is what a series' description says, or else the name of its folder: `0%`,
`50.0%`, `T50`. Series that state none, or several (averages), aren't phases. Folders
beside each other are of one person. A CSV file of landmarks (x,y,z, world mm) beside a
folder and called like it belongs to it.
"""

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np

from dirlab_files.scans import Case, Found, Scan
from dlir_tf.errors import InputError
from dlir_tf.images import read_image, read_points
from dlir_tf.images.dicom.folder import only_series, read_header, tag_of
from dlir_tf.images.itk_files import quiet_itk

_FIXED, _MOVING = 0, 50  # %, of the way from one inhalation to the next
_DESCRIPTION = "0008|103e"
_PERCENT = re.compile(
    r"(?<![\d.])(\d{1,2})(?:\.0+)?\s*%|(?<![a-z])T(\d0)(?!\d)", re.IGNORECASE
)


def find_dicom(folder: Path) -> Found:
    """Finds the people whose phases at 0 and 50 % are in a folder.

    Args:
        folder: Searched with all folders in it.

    Raises:
        InputError: If a folder holds several series or two hold the same phase.
    """
    people: dict[Path, dict[int, Path]] = {}
    for series in _series_folders(folder):
        percent = _phase(series)
        if percent is None:
            continue
        phases = people.setdefault(series.parent, {})
        if percent in phases:
            raise InputError(
                f"{series}: must be the only series at {percent} % there, but so is "
                f"{phases[percent]}; move one of them out of the folder"
            )
        phases[percent] = series
    cases, missing = [], {}
    for parent, phases in sorted(people.items()):
        name = "-".join(parent.relative_to(folder).parts) or folder.resolve().name
        lacking = [p for p in (_FIXED, _MOVING) if p not in phases]
        if lacking:
            missing[name] = " and ".join(f"the series at {p} %" for p in lacking)
        else:
            cases.append(_case(name, phases))
    return Found("dicom-4dct", "4DCT as DICOM", cases, missing)


def _case(name: str, phases: dict[int, Path]) -> Case:
    fixed, moving = (_points_beside(phases[percent]) for percent in (_FIXED, _MOVING))
    numbers = [0 if points is None else len(points) for points in (fixed, moving)]
    if numbers[0] != numbers[1]:
        raise InputError(
            f"{phases[_FIXED].parent}: both phases must have the same landmarks, or "
            f"neither any, but at {_FIXED} % there are {numbers[0]} and at {_MOVING} % "
            f"{numbers[1]}; mend the CSV files beside the series"
        )
    return Case(
        name,
        Scan(f"{name}_{_FIXED:02}", partial(read_image, phases[_FIXED]), fixed),
        Scan(f"{name}_{_MOVING:02}", partial(read_image, phases[_MOVING]), moving),
    )


def _points_beside(series: Path) -> np.ndarray | None:
    path = series.parent / f"{series.name}.csv"
    return read_points(path) if path.exists() else None


def _series_folders(folder: Path) -> Iterator[Path]:
    """Folders that hold DICOM files themselves."""
    for place in (folder, *sorted(p for p in folder.rglob("*") if p.is_dir())):
        if any(_is_dicom(path) for path in sorted(place.iterdir()) if path.is_file()):
            yield place


def _is_dicom(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def _phase(series: Path) -> int | None:
    """What a folder's one series states; none if there are no images in it."""
    import SimpleITK as sitk

    with quiet_itk():
        if not sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(series)):
            return None
        description = tag_of(read_header(only_series(series)[0]), _DESCRIPTION)
    for text in (description, series.name):
        stated = {int(a or b) for a, b in _PERCENT.findall(text)}
        if stated:
            return stated.pop() if len(stated) == 1 else None
    return None
