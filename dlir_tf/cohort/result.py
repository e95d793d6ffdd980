"""What came of a pair of a cohort."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np

from dlir_tf.cohort.pair_files import PairFiles
from dlir_tf.evaluation.measures import label_overlaps
from dlir_tf.metrics import landmark_errors
from dlir_tf.pairs.loading import LoadedPair
from dlir_tf.pairs.manifest import Pair
from dlir_tf.registration import Registration
from dlir_tf.transforms import Affine, Transform

Outcome = Literal["PASS", "WARN", "FAIL", "ERROR"]


@dataclass(frozen=True)
class Task:
    """A pair that is to be registered.

    Attributes:
        index: Which one of the manifest, from 0 on.
        id: What it is called.
        pair: Its files.
        files: Where its results go.
    """

    index: int
    id: str
    pair: Pair
    files: PairFiles

    @property
    def folder(self) -> Path:
        """Where its results go, and maybe those of others."""
        return self.files.folder

    def absolute(self) -> "Task":
        """The same for a process in another folder, or on another machine."""
        files = {
            name: value.absolute()
            for name, value in vars(self.pair).items()
            if isinstance(value, Path)
        }
        pair = replace(self.pair, **files)  # type: ignore[arg-type]
        return replace(self, pair=pair, files=self.files.absolute())


@dataclass(frozen=True)
class PairResult:
    """What came of a pair.

    Attributes:
        index: Which one of the manifest, from 0 on.
        id: What it is called.
        folder: Where its results are.
        verdict: Of the registration; `"ERROR"` where there is none.
        problem: Why there is none, a sentence; else empty.
        reasons: Why the verdict isn't `"PASS"`, a sentence each.
        numbers: What was measured; see `dlir_tf.cohort.summary`. What can't be
            measured of a pair isn't there.
        notes: What is to be said of the files, such as how exact they are.
        is_new: Whether it was registered now; else it was whole before.
        again: Why it was registered again, if it was there before: a part of a
            sentence, or empty.
    """

    index: int
    id: str
    folder: Path
    verdict: Outcome
    problem: str = ""
    reasons: tuple[str, ...] = ()
    numbers: Mapping[str, float | str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    is_new: bool = True
    again: str = ""


def failed(task: Task, problem: str) -> PairResult:
    """The result of a pair that couldn't be registered, and why."""
    return PairResult(task.index, task.id, task.folder, "ERROR", problem)


def measured(loaded: LoadedPair, result: Registration) -> dict[str, float | str]:
    """All numbers of a registered pair, by the names of the summary's columns."""
    report = result.report
    numbers: dict[str, float | str] = {
        "similarity_kind": report.similarity_kind,
        "similarity_before": report.similarity_before,
        "similarity_after": report.similarity_after,
        "folded_percent": report.folded_percent,
        "smallest_jacobian": report.smallest_jacobian,
        "mean_displacement": report.mean_displacement,
        "largest_displacement": report.largest_displacement,
        "seconds": report.seconds,
    }
    identity = Transform((Affine(np.eye(loaded.fixed.ndim + 1)),))
    sides = {
        "before": (identity, None),
        "after": (result.transform, result.displacement),
    }
    for side, (transform, displacement) in sides.items():
        if loaded.points is not None:
            fixed, moving = loaded.points
            errors = landmark_errors(transform.map_points(fixed), moving)
            numbers[f"landmark_error_{side}"] = float(np.mean(errors))
        if loaded.labels is not None:
            overlaps = label_overlaps(loaded.labels, transform, displacement)
            if overlaps:
                numbers[f"dice_{side}"] = float(np.mean(list(overlaps.values())))
            numbers |= {f"dice_{side}_{k}": value for k, value in overlaps.items()}
    return {
        name: value
        for name, value in numbers.items()
        if isinstance(value, str) or np.isfinite(value)
    }
