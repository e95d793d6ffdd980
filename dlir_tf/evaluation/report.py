"""What was measured, as a table to read and a CSV file to compute with."""

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from rich import box
from rich.table import Table

from dlir_tf.evaluation.evaluate import Outcome, PairEvaluation, PairFailure
from dlir_tf.evaluation.measures import Measures
from dlir_tf.files import TEXT, replacing

# What is compared before and after: its title and how many digits it deserves.
_COMPARED = {
    "ncc": ("Similarity (NCC)", 3),
    "dice": ("Dice, mean over labels", 3),
    "hd95": ("95% Hausdorff distance (mm)", 2),
    "surface_distance": ("Mean surface distance (mm)", 2),
    "landmark_error": ("Landmark error (mm)", 2),
}
# What there is only afterwards.
_AFTER = {
    "folded_percent": ("Folded voxels (%)", 4),
    "std_log_jacobian": ("Std. dev. of log Jacobian", 3),
    "seconds": ("Seconds per pair", 2),
}
_MAX_LABELS_SHOWN = 10

# A measure and its label; no label is the mean over all labels, or without labels.
Key = tuple[str, int | None]


def summary_table(evaluations: Sequence[PairEvaluation], *, plain: bool) -> Table:
    """Makes a table of means and standard deviations over the pairs.

    Args:
        evaluations: At least one.
        plain: Without lines, for what isn't a terminal.
    """
    before = [_numbers(evaluation.before) for evaluation in evaluations]
    after = [_numbers(evaluation.after) for evaluation in evaluations]
    labels = _labels(evaluations)
    shown = labels if len(labels) <= _MAX_LABELS_SHOWN else []
    count = len(evaluations)
    table = Table(
        title="One pair" if count == 1 else f"{count} pairs: mean (std. dev.)",
        title_justify="left",
        box=None if plain else box.SIMPLE_HEAD,
    )
    table.add_column("")
    table.add_column("before", justify="right", no_wrap=True)
    table.add_column("after", justify="right", no_wrap=True)
    for name, (title, digits) in _COMPARED.items():
        if name == "ncc" and any(_has_mask(evaluation) for evaluation in evaluations):
            title = "Similarity (NCC), masked"
        for label in (None, *shown):
            key = (name, label)
            if any(key in row for row in after):
                indented = title if label is None else f"  label {label}"
                cells = (
                    _cell([row.get(key) for row in side], digits)
                    for side in (before, after)
                )
                table.add_row(indented, *cells)
    for name, (title, digits) in _AFTER.items():
        values = [_single(evaluation)[name] for evaluation in evaluations]
        if name == "seconds" and count > 1:
            values = values[1:]  # the first one waits for what is compiled
        table.add_row(title, "", _cell(values, digits))
    table.add_row("Verdicts", "", _verdicts(evaluations))
    if len(labels) > len(shown):
        table.add_row(f"{len(labels)} labels: see the CSV file", "", "")
    return table


def write_csv(path: Path, outcomes: Sequence[Outcome]) -> None:
    """Writes one row per pair, completely or not at all.

    Columns: `fixed`, `moving`; `ncc_before`, `ncc_after` and likewise the means over
    labels `dice`, `hd95` and `surface_distance` (mm) and the mean `landmark_error`
    (mm); `folded_percent`, `std_log_jacobian`, `seconds`, `verdict`; and for each
    label L `dice_before_L`, `dice_after_L` and so on. A cell is empty where a pair
    has no such thing, and `nan` where it can't be measured. Where a pair has masks,
    its `ncc` counts the voxels inside them, and all else the whole grid. A pair that
    couldn't be evaluated has its `problem` and the verdict `ERROR`.

    Args:
        path: An existing file is replaced.
        outcomes: From `dlir_tf.evaluation.evaluate`.
    """
    evaluations = [each for each in outcomes if isinstance(each, PairEvaluation)]
    rows = [row_of(outcome) for outcome in outcomes]
    means = _columns(None)
    by_label = [name for label in _labels(evaluations) for name in _columns(label)]
    wanted = [*means, *_AFTER, "verdict", "problem", *by_label]
    columns = [name for name in wanted if any(name in row for row in rows)]
    with (
        replacing(path) as unfinished,
        unfinished.open("w", newline="", **TEXT) as stream,
    ):
        writer = csv.DictWriter(stream, ["fixed", "moving", *columns], restval="")
        writer.writeheader()
        writer.writerows(rows)


def row_of(outcome: Outcome) -> dict[str, str]:
    """A pair's row of the CSV file, without what there is nothing of."""
    row = {"fixed": str(outcome.pair.fixed), "moving": str(outcome.pair.moving)}
    if isinstance(outcome, PairFailure):
        return row | {"verdict": "ERROR", "problem": outcome.problem}
    evaluation = outcome
    row["verdict"] = evaluation.report.verdict
    for side in ("before", "after"):
        numbers = _numbers(getattr(evaluation, side))
        row |= {_column(key, side): f"{value:.6g}" for key, value in numbers.items()}
    return row | {k: f"{value:.6g}" for k, value in _single(evaluation).items()}


def _columns(label: int | None) -> list[str]:
    sides = ("before", "after")
    return [_column((name, label), side) for name in _COMPARED for side in sides]


def _column(key: Key, side: str) -> str:
    name, label = key
    return f"{name}_{side}" if label is None else f"{name}_{side}_{label}"


def _single(evaluation: PairEvaluation) -> dict[str, float]:
    return {
        "folded_percent": evaluation.after.folded_percent,
        "std_log_jacobian": evaluation.after.std_log_jacobian,
        "seconds": evaluation.seconds,
    }


def _numbers(measures: Measures) -> dict[Key, float]:
    """Everything that is compared, flat."""
    numbers: dict[Key, float] = {("ncc", None): measures.ncc}
    by_label = {
        "dice": measures.dice,
        "hd95": {k: v.hd95 for k, v in measures.surface.items()},
        "surface_distance": {k: v.mean for k, v in measures.surface.items()},
    }
    for name, values in by_label.items():
        if values:
            numbers[name, None] = _mean(values.values())
            numbers |= {(name, label): value for label, value in values.items()}
    if measures.landmark_errors is not None:
        numbers["landmark_error", None] = _mean(measures.landmark_errors)
    return numbers


def _has_mask(evaluation: PairEvaluation) -> bool:
    return bool(evaluation.pair.fixed_mask or evaluation.pair.moving_mask)


def _labels(evaluations: Iterable[PairEvaluation]) -> list[int]:
    return sorted(
        {label for evaluation in evaluations for label in evaluation.after.dice}
    )


def _verdicts(evaluations: Iterable[PairEvaluation]) -> str:
    """How many there are of each, those that occur."""
    counts = Counter(str(evaluation.report.verdict) for evaluation in evaluations)
    names = ("PASS", "WARN", "FAIL")
    return ", ".join(f"{counts[name]} {name}" for name in names if counts[name])


def _mean(values: Iterable[float]) -> float:
    """The mean of what could be measured; NaN if nothing could."""
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else float("nan")


def _cell(values: Iterable[float | None], digits: int) -> str:
    known = [value for value in values if value is not None and not np.isnan(value)]
    if not known:
        return "nan"
    mean = f"{np.mean(known):.{digits}f}"
    return mean if len(known) == 1 else f"{mean} ({np.std(known, ddof=1):.{digits}f})"
