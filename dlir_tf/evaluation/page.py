"""The page of an evaluation: its pairs as those of a cohort."""

import math
from collections.abc import Sequence

from dlir_tf.evaluation.evaluate import Outcome, PairFailure
from dlir_tf.evaluation.report import row_of
from dlir_tf.page.cohort import CohortRow

_WORDS = ("fixed", "moving", "verdict", "problem")


def cohort_rows(outcomes: Sequence[Outcome]) -> list[CohortRow]:
    """The pairs of an evaluation for `dlir_tf.page.cohort.write_cohort_page`.

    Args:
        outcomes: From `dlir_tf.evaluation.evaluate`.
    """
    return [_row(outcome) for outcome in outcomes]


def _row(outcome: Outcome) -> CohortRow:
    pair = outcome.pair
    name = f"{pair.place}: {pair.moving.name} on {pair.fixed.name}"
    cells = row_of(outcome)
    if isinstance(outcome, PairFailure):
        return CohortRow(name, cells["verdict"], (outcome.problem,))
    numbers = {key: float(cell) for key, cell in cells.items() if key not in _WORDS}
    known = {key: value for key, value in numbers.items() if math.isfinite(value)}
    return CohortRow(name, cells["verdict"], outcome.report.reasons, known)
