"""Whether a model's TFLite file gives what the model gives."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from dlir_tf.config import MATRIX, Config, Intensity
from dlir_tf.export.differences import (
    Differences,
    Tolerance,
    changes,
    control_points,
    largest,
    longest,
    worst,
)
from dlir_tf.export.fresh_process import Arrays, Call, run_in_fresh_process
from dlir_tf.images.grid import corner_voxels
from dlir_tf.models.folder import Model
from dlir_tf.models.litert_file import PARAMETERS, REGISTER
from dlir_tf.pairs.intensities import scale_intensities
from dlir_tf.phantoms import beating_heart

# The most that displacements may differ by, mm, and moved images, as a fraction of
# their range: numerical noise for float32. Weights of lower precision are another,
# slightly different model; their bounds keep it from being a broken one.
TOLERANCE = {
    "float32": Tolerance(mm=0.01, fraction=1e-3),
    "float16": Tolerance(mm=0.1, fraction=0.02),
    "int8": Tolerance(mm=0.5, fraction=0.1),
}

_SEEDS = (3, 11)


@dataclass(frozen=True)
class TFLiteParity(Differences):
    """The largest differences between a file's outputs and the model's.

    Attributes:
        largest_mm: How far the model displaces anything in these pairs.
        parameters_seconds: How long the signature `parameters` takes, on all cores.
        register_seconds: Likewise, the signature `register`.
        parameters_mb: The most memory that a process with LiteRT and NumPy needs for
            the signature `parameters`.
        register_mb: Likewise, for both signatures.
    """

    largest_mm: float
    parameters_seconds: float
    register_seconds: float
    parameters_mb: float
    register_mb: float

    def within_tolerance(self, precision: str) -> bool:
        """Whether all differences are what this precision may cost; NaN isn't."""
        return self.within(TOLERANCE[precision])

    def __str__(self) -> str:
        ddf = f"ddf {self.displacement_mm:.2g} mm of {self.largest_mm:.2g} mm"
        return self._told(ddf)


def check_tflite_parity(
    path: Path, model: Model, shape: tuple[int, ...], precision: str
) -> TFLiteParity:
    """Compares a file, run by LiteRT in a fresh process, with its model.

    Args:
        path: The file.
        model: What it was made from.
        shape: Of the working grid.
        precision: Of its weights.

    Raises:
        ExportError: If LiteRT alone can't run it, or it differs by more than
            `TOLERANCE`.
    """
    pairs = example_pairs(model.config, shape)
    # The signature that needs less memory comes first, or it would never be known;
    # of each, the last call tells how long it takes.
    asked = [(name, pair) for name in (PARAMETERS, REGISTER) for pair in pairs]
    answers = run_in_fresh_process(
        path, [Call(name, pair, timed=pair is pairs[-1]) for name, pair in asked]
    )
    expected = [_predict(model, pair) for pair in pairs]
    found = [
        compare(pair, outputs, answer.outputs, model.config, name)
        for (name, pair), outputs, answer in zip(
            asked, [*expected, *expected], answers, strict=True
        )
    ]
    of_parameters, of_register = answers[len(pairs) - 1], answers[-1]
    parity = TFLiteParity(
        **worst(found),
        largest_mm=largest(
            [
                longest(outputs["ddf"], pair["spacing"][0])
                for outputs, pair in zip(expected, pairs, strict=True)
            ]
        ),
        parameters_seconds=of_parameters.seconds,
        register_seconds=of_register.seconds,
        parameters_mb=of_parameters.peak_mb,
        register_mb=of_register.peak_mb,
    )
    check_precision(parity, precision)
    return parity


def check_precision(parity: TFLiteParity, precision: str) -> None:
    """Raises an error if a file differs by more than its precision may cost.

    Raises:
        ExportError: With all differences.
    """
    tolerance, allowed_for = TOLERANCE[precision], f" for {precision}"
    if precision == "float32":
        parity.check("file", tolerance, allowed_for=allowed_for)
    else:
        cure = "choose --precision float32"
        parity.check("file", tolerance, allowed_for=allowed_for, cure=cure)


def example_pairs(config: Config, shape: tuple[int, ...]) -> list[Arrays]:
    """Makes inputs that look like images, hearts in a chest, for a working grid."""
    spacing = tuple(
        mm or default
        for mm, default in zip(config.spacing, (1.5, 1.5, 8), strict=False)
    )
    pairs = []
    for seed in _SEEDS:
        heart = beating_heart(seed, shape=shape, spacing=spacing, ndim=config.ndim)
        images = {
            name: scale_intensities(image.array, Intensity(), name)[None, ..., None]
            for name, image in (("fixed", heart.fixed), ("moving", heart.moving))
        }
        pairs.append({**images, "spacing": np.asarray([spacing], np.float32)})
    return pairs


def compare(
    pair: Arrays,
    expected: Arrays,
    received: Arrays,
    config: Config,
    signature: str = REGISTER,
) -> dict[str, float]:
    """Returns the largest differences, named as in `TFLiteParity`.

    Raises:
        ExportError: If an output is missing or has another shape.
    """
    dense = ("ddf", "moved") if signature == PARAMETERS else ()
    wanted = {name: array for name, array in expected.items() if name not in dense}
    change, spacing = changes("file", wanted, received), pair["spacing"][0]
    matrix, places = change[MATRIX][0], corner_voxels(pair["fixed"].shape[1:-1])
    points = [longest(array, spacing) for array in control_points(change, config)]
    differences = {
        "affine_mm": longest(places @ matrix[:, :-1].T + matrix[:, -1], spacing),
        "control_points_mm": largest(points),
    }
    if signature == REGISTER:
        moved = largest(np.abs(change["moved"])) / float(np.ptp(expected["moved"]))
        differences["displacement_mm"] = longest(change["ddf"], spacing)
        differences["moved"] = moved
    return differences


def _predict(model: Model, pair: Arrays) -> Arrays:
    """What the model gives on the CPU: a GPU rounds differently."""
    with tf.device("/CPU:0"):
        outputs: dict[str, Any] = model.network(
            {name: tf.constant(array) for name, array in pair.items()}, training=False
        )
        return {name: ops.convert_to_numpy(array) for name, array in outputs.items()}
