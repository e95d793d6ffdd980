"""Whether an exported model gives what the model gives."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dlir_tf.errors import REPORT_IT, ExportError
from dlir_tf.export.comparison import TOLERANCE, compare, expected_outputs
from dlir_tf.export.differences import Differences, worst
from dlir_tf.export.fresh_process import Answer, Arrays, Call, run_in_fresh_process
from dlir_tf.export.graph.signatures import model_json
from dlir_tf.export.pairs import TrialPair, trial_batches
from dlir_tf.models.folder import Model


@dataclass(frozen=True)
class Timing:
    """How long `serving_default` took on a CPU, in the fresh process.

    Attributes:
        fixed: The shape of the fixed images, `(batch, *size)`.
        moving: Of the moving images.
        first_seconds: The first call with these shapes.
        seconds: The median of some more.
    """

    fixed: tuple[int, ...]
    moving: tuple[int, ...]
    first_seconds: float
    seconds: float


@dataclass(frozen=True)
class Parity(Differences):
    """The largest differences between a SavedModel and `dlir_tf.register`.

    Attributes:
        labels: The share of voxels with another label, ties aside.
        quality: Of similarities and the smallest Jacobian determinant.
        timings: Of each batch.
        peak_mb: The most memory that the fresh process had, TensorFlow included.
    """

    labels: float
    quality: float
    timings: tuple[Timing, ...]
    peak_mb: float

    @property
    def fractions(self) -> tuple[float, ...]:
        """The differences that aren't lengths."""
        return (self.moved, self.labels, self.quality)

    @property
    def within_tolerance(self) -> bool:
        """Whether all differences are numerical noise; NaN isn't."""
        return self.within(TOLERANCE)

    def as_dict(self) -> dict[str, Any]:
        """Returns all differences and the tolerances, for JSON."""
        return {**asdict(self), "tolerances": TOLERANCE._asdict()}

    def __str__(self) -> str:
        return (
            f"{super().__str__()}; "
            f"labels {100 * self.labels:.2g} % of voxels; quality {self.quality:.2g}"
        )


def check_parity(folder: Path, model: Model) -> Parity:
    """Compares a SavedModel, in a fresh process, with its model and `register`.

    Both run on the CPU: a GPU rounds differently, and its memory belongs to this
    process.

    Args:
        folder: The SavedModel.
        model: What it was made from.

    Raises:
        ExportError: If it can't be loaded by plain TensorFlow, or differs by more
            than `TOLERANCE`.
    """
    batches = trial_batches(model.config.ndim)
    pairs_of_calls, calls = zip(
        *(call for batch in batches for call in _calls(batch)), strict=True
    )
    answers = run_in_fresh_process(folder, list(calls))
    received: dict[TrialPair, Arrays] = {pair: {} for b in batches for pair in b}
    timings = []
    for pairs, call, answer in zip(pairs_of_calls, calls, answers, strict=True):
        if call.timed:
            timings.append(_timing(pairs, answer))
        for index, pair in enumerate(pairs):
            own = {name: _row(array, index) for name, array in answer.outputs.items()}
            received[pair] |= own
    _check_description(received, model)
    with tf.device("/CPU:0"):
        found = [
            compare(pair, *expected_outputs(pair, model), outputs, model.config)
            for pair, outputs in received.items()
        ]
    peak_mb = max(answer.peak_mb for answer in answers)
    parity = Parity(**worst(found), timings=tuple(timings), peak_mb=peak_mb)
    parity.check("model", TOLERANCE)
    return parity


def inputs_of(pairs: list[TrialPair]) -> Arrays:
    """The pairs as a batch of raw inputs, labels included."""
    images = {
        "fixed": [pair.fixed.array for pair in pairs],
        "moving": [pair.moving.array for pair in pairs],
        "fixed_affine": [pair.fixed.affine.astype(np.float32) for pair in pairs],
        "moving_affine": [pair.moving.affine.astype(np.float32) for pair in pairs],
        "moving_labels": [pair.moving_labels.array.astype(np.int32) for pair in pairs],
    }
    return {name: np.stack(arrays) for name, arrays in images.items()}


def _calls(batch: list[TrialPair]) -> list[tuple[list[TrialPair], Call]]:
    """Asks every signature; `parameters` pair by pair, whose working grids differ."""
    whole, main = inputs_of(batch), "serving_default"
    return [
        (batch, Call(main, whole, timed=True)),
        *((batch, Call(name, whole)) for name in ("moved_labels", "quality")),
        *(([pair], Call("parameters", inputs_of([pair]))) for pair in batch),
    ]


def _check_description(received: dict[TrialPair, Arrays], model: Model) -> None:
    """Refuses an export that describes its model wrongly: clients go by that text."""
    for outputs in received.values():
        if str(outputs.get("model_json")) != model_json(model):
            raise ExportError(
                "the exported model's output `model_json` must be the model's config "
                f"and provenance; {REPORT_IT}. Received: {outputs.get('model_json')}"
            )


def _row(array: np.ndarray, index: int) -> np.ndarray:
    """Takes one row of a batch; nothing, if it has fewer."""
    return np.asarray(array[index]) if index < len(array) else np.empty(0)


def _timing(batch: list[TrialPair], answer: Answer) -> Timing:
    pair = batch[0]
    return Timing(
        fixed=(len(batch), *pair.fixed.shape),
        moving=(len(batch), *pair.moving.shape),
        first_seconds=answer.first_seconds,
        seconds=answer.seconds,
    )
