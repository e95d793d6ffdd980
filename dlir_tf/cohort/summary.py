"""The table of a cohort: `summary.csv`, a row per pair."""

import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from dlir_tf.cohort.result import PairResult, Task
from dlir_tf.files import TEXT, replacing

SUMMARY = "summary.csv"

# In this order; those that no pair has are left out.
_NUMBERS = (
    *("similarity_kind", "similarity_before", "similarity_after"),
    *("folded_percent", "smallest_jacobian"),
    *("mean_displacement", "largest_displacement"),
    *("dice_before", "dice_after", "landmark_error_before", "landmark_error_after"),
    "seconds",
)
_FILES = ("moved", "transform")
_OF_LABEL = re.compile(r"dice_(before|after)_(-?\d+)")


def write_summary(
    folder: Path, tasks: Iterable[Task], results: Mapping[int, PairResult]
) -> Path:
    """Writes the summary, whole or not at all.

    Columns: `id`, `folder` (beside the summary), `moved` and `transform` (their files,
    likewise, where they are written), `verdict`, `problem` (why a pair with
    the verdict `ERROR` couldn't be registered), `reasons` (why another isn't `PASS`);
    what is in a report: `similarity_kind`, `similarity_before` (with the initial
    alignment alone), `similarity_after`, `folded_percent`, `smallest_jacobian`,
    `mean_displacement` and `largest_displacement` (mm), `seconds`; with labels
    `dice_before` (as the two lie in the world) and `dice_after`, means over labels, and
    for each label L `dice_before_L` and `dice_after_L`; with landmarks
    `landmark_error_before` and `landmark_error_after` (mm), means over them; `fixed`
    and `moving`. A cell is empty where there is no such thing.

    Args:
        folder: Of the cohort.
        tasks: Its pairs.
        results: What came of those that are done, by their indices.

    Returns:
        The file.
    """
    known = {name for one in results.values() for name in one.numbers}
    by_label = sorted(filter(_OF_LABEL.fullmatch, known), key=_by_label)
    numbers = [*(name for name in _NUMBERS if name in known), *by_label]
    columns = ["id", "folder", *_FILES, "verdict", "problem", "reasons", *numbers]
    path = folder / SUMMARY
    with (
        replacing(path) as unfinished,
        unfinished.open("w", newline="", **TEXT) as stream,
    ):
        writer = csv.DictWriter(stream, [*columns, "fixed", "moving"], restval="")
        writer.writeheader()
        for task in tasks:
            if (result := results.get(task.index)) is not None:
                writer.writerow(_row(folder, task, result))
    return path


def _row(folder: Path, task: Task, result: PairResult) -> dict[str, str]:
    return {
        "id": result.id,
        "folder": task.folder.relative_to(folder).as_posix(),
        **_files(folder, task, result),
        "verdict": result.verdict,
        "problem": result.problem,
        "reasons": "; ".join(result.reasons),
        "fixed": str(task.pair.fixed),
        "moving": str(task.pair.moving),
    } | {name: _cell(value) for name, value in result.numbers.items()}


def _files(folder: Path, task: Task, result: PairResult) -> dict[str, str]:
    """Where the files of a pair are that others go on with."""
    if result.verdict == "ERROR":
        return {}
    names = task.files.names
    return {
        role: (task.folder / names[role]).relative_to(folder).as_posix()
        for role in _FILES
        if role in names
    }


def _cell(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"


def _by_label(name: str) -> tuple[int, bool]:
    match = _OF_LABEL.fullmatch(name)
    return (int(match[2]), match[1] == "after") if match else (0, False)
