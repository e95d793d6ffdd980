"""Whether an exported model gives what the model gives."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dlir_tf.export import ExportError
from dlir_tf.export.comparison import MM_TOLERANCE, Arrays, compare, expected_outputs
from dlir_tf.export.fresh_process import run_in_fresh_process
from dlir_tf.export.graph.signatures import model_json
from dlir_tf.export.pairs import TrialPair, trial_batches
from dlir_tf.models.folder import Model

FRACTION_TOLERANCE = 1e-3


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
class Parity:
    """The largest differences between a SavedModel and `dlir_tf.register`.

    Attributes:
        displacement_mm: Of the displacement field, as a length.
        moved: Of the moved image, as a fraction of its range.
        affine_mm: Of where the affine matrix takes the corners of the fixed image.
        control_points_mm: Of the control points; 0 if there are none.
        labels: The share of voxels with another label, ties aside.
        quality: Of similarities and the smallest Jacobian determinant.
        timings: Of each batch.
        peak_mb: The most memory that the fresh process had, TensorFlow included.
    """

    displacement_mm: float
    moved: float
    affine_mm: float
    control_points_mm: float
    labels: float
    quality: float
    timings: tuple[Timing, ...]
    peak_mb: float

    @property
    def within_tolerance(self) -> bool:
        """Whether all differences are numerical noise; NaN isn't."""
        lengths = (self.displacement_mm, self.affine_mm, self.control_points_mm)
        fractions = (self.moved, self.labels, self.quality)
        return all(length <= MM_TOLERANCE for length in lengths) and all(
            fraction <= FRACTION_TOLERANCE for fraction in fractions
        )

    def as_dict(self) -> dict[str, Any]:
        """For JSON, with the tolerances."""
        tolerances = {"mm": MM_TOLERANCE, "fraction": FRACTION_TOLERANCE}
        return {**asdict(self), "tolerances": tolerances}

    def __str__(self) -> str:
        return (
            f"displacement {self.displacement_mm:.2g} mm; "
            f"moved {self.moved:.2g} of its range; affine {self.affine_mm:.2g} mm; "
            f"control points {self.control_points_mm:.2g} mm; "
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
            than `MM_TOLERANCE` or `FRACTION_TOLERANCE`.
    """
    batches = trial_batches(model.config.ndim)
    calls = [call for batch in batches for call in _calls(batch)]
    replay = run_in_fresh_process(
        folder, [(signature, inputs_of(pairs)) for signature, pairs in calls]
    )
    received: dict[TrialPair, Arrays] = {
        pair: {} for batch in batches for pair in batch
    }
    timings = []
    for (signature, pairs), outputs in zip(calls, replay.outputs, strict=True):
        seconds = outputs.pop("seconds")
        if signature == "serving_default":
            timings.append(_timing(pairs, seconds))
        for index, pair in enumerate(pairs):
            own = {name: _row(array, index) for name, array in outputs.items()}
            received[pair] |= own
    _check_description(received, model)
    with tf.device("/CPU:0"):
        differences = [
            compare(pair, *expected_outputs(pair, model), outputs)
            for pair, outputs in received.items()
        ]
    # np.max, because max() may pass over NaN.
    worst = {
        name: float(np.max([each[name] for each in differences]))
        for name in differences[0]
    }
    parity = Parity(**worst, timings=tuple(timings), peak_mb=replay.peak_mb)
    if not parity.within_tolerance:
        raise ExportError(
            "the exported model doesn't give what the model gives (allowed are "
            f"{MM_TOLERANCE} mm and {FRACTION_TOLERANCE} of the range); largest "
            f"differences: {parity}"
        )
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


def _calls(batch: list[TrialPair]) -> list[tuple[str, list[TrialPair]]]:
    """Every signature; parameters one by one, because working grids differ."""
    whole = [(name, batch) for name in ("serving_default", "moved_labels", "quality")]
    return [*whole, *[("parameters", [pair]) for pair in batch]]


def _check_description(received: dict[TrialPair, Arrays], model: Model) -> None:
    """A client builds its transforms by what this text says."""
    for outputs in received.values():
        if str(outputs.get("model_json")) != model_json(model):
            raise ExportError(
                "the exported model's output `model_json` must be the model's config "
                f"and provenance. Received: {outputs.get('model_json')}"
            )


def _row(array: np.ndarray, index: int) -> np.ndarray:
    """Of a batch; nothing of what has no such row."""
    return np.asarray(array[index]) if index < len(array) else np.empty(0)


def _timing(batch: list[TrialPair], seconds: np.ndarray) -> Timing:
    pair, (first, later) = batch[0], seconds
    return Timing(
        fixed=(len(batch), *pair.fixed.shape),
        moving=(len(batch), *pair.moving.shape),
        first_seconds=float(first),
        seconds=float(later),
    )
