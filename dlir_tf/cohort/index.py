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
) -> None:
    """Writes the summary and the page, each whole or not at all.

    Args:
        folder: Of the cohort.
        tasks: Its pairs.
        results: What came of those that are done, by their indices.
    """
    listed = list(tasks)
    write_summary(folder, listed, results)
    rows = [
        _row(folder, task, result)
        for task in listed
        if (result := results.get(task.index)) is not None
    ]
    title = f"{folder.absolute().name}: registered pairs"
    write_cohort_page(folder / INDEX, rows, title=title)


def _row(folder: Path, task: Task, result: PairResult) -> CohortRow:
    there, names = result.verdict != "ERROR", task.files.names
    beside = {
        role: (task.folder / names[role]).relative_to(folder).as_posix()
        for role in ("page", "thumbnail")
        if there and role in names
    }
    numbers = {k: v for k, v in result.numbers.items() if not isinstance(v, str)}
    reasons = result.reasons if there else (result.problem,)
    return CohortRow(result.id, result.verdict, reasons, numbers, **beside)
