"""Shows how a training goes: pictures for TensorBoard, and a page in its folder."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dlir_tf.figures.sheet import draw_sheet, encode_png
from dlir_tf.files import replacing
from dlir_tf.models.folder_files import PAGE_FILE
from dlir_tf.training.events import coarse_bins
from dlir_tf.training.log import TrainingLog
from dlir_tf.training.phases import Phase
from dlir_tf.training.sights import (
    DISPLACEMENT_EDGES,
    JACOBIAN_EDGES,
    Sight,
    Sights,
)
from dlir_tf.training.web_page import Shown, Stage, make_page

Histogram = tuple[str, np.ndarray, np.ndarray, float]


class Show:
    """Shows every validation when it is done, and the whole training in the end.

    That takes 0.1 s of one core, most of it for the pictures of three pairs.

    Args:
        output: The model folder.
        log: Of the training.
        phases: Of the training.
        names: What the validation pairs are called.
    """

    def __init__(
        self,
        output: Path,
        log: TrainingLog,
        phases: Sequence[Phase],
        names: Sequence[str],
    ) -> None:
        self._output = output
        self._log = log
        self._names = names
        self._stages = [Stage(phase.name, phase.steps) for phase in phases]
        self._best: dict[int, tuple[int, Sights]] = {}

    def validated(
        self, index: int, step: int, sights: Sights, *, is_best: bool
    ) -> None:
        """Shows a validation, and all rows of the log.

        Args:
            index: Of the phase.
            step: Of the phase.
            sights: What the validation saw; nothing if there is nothing to see.
            is_best: Whether the weights are the best ones of this phase so far.
        """
        stage, histograms = self._stages[index], _histograms(sights)
        stage.seen_at, stage.histograms = step, histograms
        stage.shown = self._drawn(sights.shown)
        pictures = {shown.name: shown.png for shown in stage.shown}
        self._log.show(stage.name, step, pictures, histograms)
        # A training that goes on may have had its best step before.
        if is_best or index not in self._best:
            self._best[index] = step, sights
        self._write()

    def finish(self) -> None:
        """Adds the best and the worst pairs, by the weights that the model keeps."""
        last = len(self._stages) - 1
        if last in self._best:
            stage = self._stages[last]
            stage.seen_at, sights = self._best[last]
            stage.shown = self._drawn(sights.shown)
            stage.best = self._drawn(sights.best)
            stage.worst = self._drawn(sights.worst)
            stage.histograms = _histograms(sights)
        self._write()

    def _drawn(self, sights: Sequence[Sight]) -> list[Shown]:
        return [
            Shown(
                self._names[sight.index],
                sight.row,
                encode_png(draw_sheet(sight.plane)),
            )
            for sight in sights
        ]

    def _write(self) -> None:
        name = self._output.absolute().name
        about = (
            "Training by dlir-tf. Losses are means over the steps since the row "
            "before; smaller is better."
        )
        page = make_page(f"Training of {name}", about, self._stages, self._log.rows)
        with replacing(self._output / PAGE_FILE) as unfinished:
            unfinished.write_text(page, encoding="utf-8")


def _histograms(sights: Sights) -> list[Histogram]:
    """Title, counts and edges of what was counted, and up to where it's bad."""
    counted = (
        ("displacement (mm)", sights.displacement, DISPLACEMENT_EDGES, -np.inf),
        (
            "Jacobian determinant (0 or less: folded)",
            sights.jacobian,
            JACOBIAN_EDGES,
            0.0,
        ),
    )
    return [
        (title, *coarse_bins(counts, edges), bad)
        for title, counts, edges, bad in counted
        if counts.any()
    ]
