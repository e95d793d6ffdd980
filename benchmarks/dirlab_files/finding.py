"""Finds the cases of a set in a folder, however their packs were unpacked.

Names alone count, wherever in the folder: packs are `Case1Pack`, `Case1Pack/Case1Pack`
or `Case8Deploy`, their landmarks in `ExtremePhases` or `extremePhases`.
"""

from functools import partial
from pathlib import Path

from dirlab_files.datasets import DataSet, Layout
from dirlab_files.raw import check_image, read_image, read_landmarks
from dirlab_files.scans import Case, Found, Scan
from dlir_tf.errors import InputError

NOTHING_THERE = "all files"


def find_cases(folder: Path, data: DataSet) -> Found:
    """Finds what is there of a set; files are checked, images are read later.

    Args:
        folder: Searched with all folders in it.
        data: Which set.

    Raises:
        InputError: If a file isn't as published, or two are the same one.
    """
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    images = _by_phase(files, data, data.image_name)
    points = _by_phase(files, data, data.points_name)
    cases, missing = [], {}
    for name, layout in data.layouts.items():
        wanted = [(name, phase) for phase in data.phases]
        lacking = [
            f"{what} of {phase}"
            for what, found in (("the image", images), ("the landmarks", points))
            for _, phase in (key for key in wanted if key not in found)
        ]
        if lacking:
            everything = len(lacking) == 2 * len(wanted)
            missing[name] = NOTHING_THERE if everything else " and ".join(lacking)
            continue
        cases.append(
            Case(
                name, *(_scan(key, images[key], points[key], layout) for key in wanted)
            )
        )
    return Found(data.key, data.title, cases, missing)


def _by_phase(files, data: DataSet, pattern) -> dict[tuple[str, str], Path]:
    """Case and phase, spelled as we do, to the one file of that name."""
    spelled = {phase.lower(): phase for phase in data.phases}
    found: dict[tuple[str, str], Path] = {}
    for path in files:
        match = pattern.fullmatch(path.name)
        if not match or match[1].lower() not in data.layouts:
            continue
        key = match[1].lower(), spelled[match[2].lower()]
        if key in found:
            raise InputError(
                f"{path}: must be the only file of {' '.join(key)}, but so is "
                f"{found[key]}; move one of them out of the folder"
            )
        found[key] = path
    return found


def _scan(key: tuple[str, str], image: Path, points: Path, layout: Layout) -> Scan:
    check_image(image, layout)
    return Scan(
        "_".join(key),
        partial(read_image, image, layout),
        read_landmarks(points, layout),
    )
