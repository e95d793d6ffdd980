"""The page of a cohort: `index.html`, a table to sort, filter and mark."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from dlir_tf.cohort.result import PairResult, Task
from dlir_tf.cohort.summary import write_summary
from dlir_tf.page.cohort import CohortRow, write_cohort_page

INDEX = "index.html"


def write_tables(
    folder: Path,
    tasks: Iterable[Task],
    results: Mapping[int, PairResult],
    files: Mapping[str, str],
) -> None:
    """Writes the summary and the page, each whole or not at all.

    Args:
        folder: Of the cohort.
        tasks: Its pairs.
        results: What came of those that are done, by their indices.
        files: What the files in a pair's folder are called, by what they are.
    """
    listed = list(tasks)
    write_summary(folder, listed, results)
    rows = [
        _row(task, result, files)
        for task in listed
        if (result := results.get(task.index)) is not None
    ]
    title = f"{folder.absolute().name}: registered pairs"
    write_cohort_page(folder / INDEX, rows, title=title)


def _row(task: Task, result: PairResult, files: Mapping[str, str]) -> CohortRow:
    there = result.verdict != "ERROR"
    beside = {
        role: f"{task.folder.name}/{files[role]}"
        for role in ("page", "thumbnail")
        if there and role in files
    }
    numbers = {k: v for k, v in result.numbers.items() if not isinstance(v, str)}
    reasons = result.reasons if there else (result.problem,)
    return CohortRow(result.id, result.verdict, reasons, numbers, **beside)
