"""The page of an evaluation: its pairs as those of a cohort."""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from dlir_tf.apply.pictures import page_contents, thumbnail_writer
from dlir_tf.evaluation.evaluate import Look, Outcome, PairFailure
from dlir_tf.evaluation.report import row_of
from dlir_tf.files import make_folder, write_together
from dlir_tf.page import write_page
from dlir_tf.page.cohort import CohortRow
from dlir_tf.pairs.loading import LoadedPair
from dlir_tf.registration import Registration

_WORDS = ("fixed", "moving", "verdict", "problem")
_PAGE, _THUMBNAIL = "page.html", "thumbnail.png"


def cohort_rows(
    outcomes: Sequence[Outcome], shown: "Shown | None" = None
) -> list[CohortRow]:
    """The pairs of an evaluation for `dlir_tf.page.cohort.write_cohort_page`.

    Args:
        outcomes: From `dlir_tf.evaluation.evaluate`.
        shown: What was written of them to be looked at.
    """
    return [
        _row(outcome, shown.beside(index) if shown else {})
        for index, outcome in enumerate(outcomes)
    ]


class Shown:
    """Writes what there is to look at of every pair, as soon as it's registered.

    Args:
        page: The page of the evaluation; the pairs' files go into a folder beside it.
        names: Of a folder for each pair, all different.
        pages: Whether every pair has a page of its own, beside a small picture.
    """

    def __init__(self, page: Path, names: Sequence[str], *, pages: bool) -> None:
        self.folder = page.with_name(f"{page.name.rpartition('.')[0]}_pairs")
        self._names, self._pages = names, pages

    def look(self, index: int) -> Look:
        """What is called with a pair and its registration.

        Args:
            index: Which pair.
        """
        return partial(self._write, self._names[index])

    def beside(self, index: int) -> dict[str, str]:
        """What a pair's row leads to, relative to the page.

        Args:
            index: Which pair.
        """
        folder = f"{self.folder.name}/{self._names[index]}"
        page = {"page": f"{folder}/{_PAGE}"} if self._pages else {}
        return page | {"thumbnail": f"{folder}/{_THUMBNAIL}"}

    def _write(self, name: str, pair: LoadedPair, result: Registration) -> None:
        folder = self.folder / name
        make_folder(folder)
        writers = {folder / _THUMBNAIL: thumbnail_writer(result, pair.fixed)}
        if self._pages:
            contents = page_contents(result, pair, name)
            writers[folder / _PAGE] = partial(write_page, contents=contents)
        write_together(writers)


def _row(outcome: Outcome, beside: Mapping[str, str]) -> CohortRow:
    pair = outcome.pair
    name = f"{pair.place}: {pair.moving.name} on {pair.fixed.name}"
    cells = row_of(outcome)
    if isinstance(outcome, PairFailure):
        return CohortRow(name, cells["verdict"], (outcome.problem,))
    numbers = {key: float(cell) for key, cell in cells.items() if key not in _WORDS}
    known = {key: value for key, value in numbers.items() if math.isfinite(value)}
    return CohortRow(name, cells["verdict"], outcome.report.reasons, known, **beside)
