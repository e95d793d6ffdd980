"""Whether an exported model gives what the model gives."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from dlir_tf.config import Config
from dlir_tf.export import ExportError
from dlir_tf.export.fresh_process import Arrays, run_in_fresh_process
from dlir_tf.model_folder import Model

MM_TOLERANCE = 0.01
FRACTION_TOLERANCE = 1e-3

# Batch, and how many multiples of the smallest size there are along each axis. Two
# shapes, so that at least one is another than that of all training patches.
_CASES = ((2, (1, 3, 5)), (1, (5, 1, 3)))


@dataclass(frozen=True)
class Parity:
    """The largest differences between an exported model's outputs and the model's.

    Attributes:
        ddf_voxels: Of the displacement field, as a length in voxels.
        ddf_mm: The same, in mm.
        moved: Of the moved image, as a fraction of its range.
        affine_mm: Of where the affine matrix takes the corners of the grid.
        control_points_mm: Of the control points; 0 if there are none.
        shapes: The shapes, `(batch, *size)`, of the random pairs compared.
        seconds: How long the exported model took for the last of them, on a CPU.
    """

    ddf_voxels: float
    ddf_mm: float
    moved: float
    affine_mm: float
    control_points_mm: float
    shapes: tuple[tuple[int, ...], ...]
    seconds: float

    @property
    def within_tolerance(self) -> bool:
        """Whether all differences are numerical noise; NaN isn't."""
        lengths = (self.ddf_mm, self.affine_mm, self.control_points_mm)
        return (
            all(length <= MM_TOLERANCE for length in lengths)
            and self.moved <= FRACTION_TOLERANCE
        )

    def __str__(self) -> str:
        return (
            f"ddf {self.ddf_voxels:.2g} voxels, {self.ddf_mm:.2g} mm; "
            f"moved {self.moved:.2g} of its range; affine {self.affine_mm:.2g} mm; "
            f"control points {self.control_points_mm:.2g} mm"
        )


def check_parity(folder: Path, model: Model) -> Parity:
    """Compares a SavedModel with its model, on random pairs of small sizes.

    Both run on the CPU: a GPU rounds differently, and its memory belongs to this
    process.

    Args:
        folder: The SavedModel.
        model: What it was made from.

    Raises:
        ExportError: If it can't be loaded by plain TensorFlow, or differs by more
            than `MM_TOLERANCE` or `FRACTION_TOLERANCE`.
    """
    pairs = random_pairs(model.config)
    received = run_in_fresh_process(folder, pairs)
    differences = [
        compare(pair, _predict(model, pair), outputs)
        for pair, outputs in zip(pairs, received, strict=True)
    ]
    # np.max, because max() may pass over NaN.
    worst = {
        name: float(np.max([each[name] for each in differences]))
        for name in differences[0]
    }
    parity = Parity(
        **worst,
        shapes=tuple(pair["fixed"].shape[:-1] for pair in pairs),
        seconds=float(received[-1]["seconds"]),
    )
    if not parity.within_tolerance:
        raise ExportError(
            "the exported model doesn't give what the model gives (allowed are "
            f"{MM_TOLERANCE} mm and {FRACTION_TOLERANCE} of the range); largest "
            f"differences: {parity}"
        )
    return parity


def random_pairs(config: Config) -> list[Arrays]:
    """Makes inputs that a model of this config takes: noise, the hardest images."""
    rng = np.random.default_rng(0)
    pairs = []
    for batch, factors in _CASES:
        size = [n * m for n, m in zip(factors, config.multiple, strict=False)]
        spacing = [mm or 2.0 for mm in config.spacing]
        scale = rng.uniform(0.8, 1.25, (batch, config.ndim))
        pairs.append(
            {
                "fixed": rng.random((batch, *size, 1), np.float32),
                "moving": rng.random((batch, *size, 1), np.float32),
                "spacing": (scale * spacing).astype(np.float32),
            }
        )
    return pairs


def compare(pair: Arrays, expected: Arrays, received: Arrays) -> dict[str, float]:
    """Returns the largest differences, named as in `Parity`.

    Raises:
        ExportError: If an output is missing or has another shape.
    """
    for name, array in expected.items():
        shape = received[name].shape if name in received else "none"
        if shape != array.shape:
            raise ExportError(
                f"the exported model's output `{name}` must have the shape "
                f"{array.shape}. Received: {shape}"
            )
    change = {
        name: received[name].astype(np.float64) - array
        for name, array in expected.items()
    }
    lengths = {
        name: _largest_length(array, pair["spacing"])
        for name, array in change.items()
        if name.startswith("control_points_")
    }
    corners = _corner_change(change["affine"], pair["fixed"].shape[1:-1])
    return {
        "ddf_voxels": _largest_length(change["ddf"], np.ones_like(pair["spacing"])),
        "ddf_mm": _largest_length(change["ddf"], pair["spacing"]),
        "moved": float(np.max(np.abs(change["moved"])) / np.ptp(expected["moved"])),
        "affine_mm": _largest_length(corners, pair["spacing"]),
        "control_points_mm": float(np.max([0.0, *lengths.values()])),
    }


def _predict(model: Model, pair: Arrays) -> Arrays:
    with tf.device("/CPU:0"):
        outputs = model.network(
            {name: tf.constant(array) for name, array in pair.items()}, training=False
        )
        return {name: ops.convert_to_numpy(array) for name, array in outputs.items()}


def _largest_length(vectors: np.ndarray, spacing: np.ndarray) -> float:
    """Of `(batch, ..., ndim)` with `(batch, ndim)` units per step."""
    batch, ndim = spacing.shape
    scaled = vectors.reshape(batch, -1, ndim) * spacing[:, None]
    return float(np.max(np.linalg.norm(scaled, axis=-1)))


def _corner_change(matrix: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """What a change of the matrix does to the corners of the grid."""
    corners = np.array(list(itertools.product(*[(0, n - 1) for n in size])))
    moved: Any = np.einsum("bij,cj->bci", matrix[..., :-1], corners)
    return moved + matrix[:, None, :, -1]
