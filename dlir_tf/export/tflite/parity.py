"""Whether a model's TFLite file gives what the model gives."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from keras import ops

from dlir_tf.config import Config, Intensity
from dlir_tf.export import ExportError
from dlir_tf.export.fresh_process import run_script
from dlir_tf.models.folder import Model
from dlir_tf.models.litert_file import PARAMETERS, REGISTER
from dlir_tf.pairs.preprocessing import scale_intensities
from dlir_tf.phantoms import beating_heart

Arrays = dict[str, np.ndarray]

# The most that displacements may differ by, mm, and moved images, as a fraction of
# their range: numerical noise for float32. Weights of lower precision are another,
# slightly different model; their bounds keep it from being a broken one.
MM_TOLERANCE = {"float32": 0.01, "float16": 0.1, "int8": 0.5}
FRACTION_TOLERANCE = {"float32": 1e-3, "float16": 0.02, "int8": 0.1}

_SCRIPT = Path(__file__).with_name("replay.py")
_SEEDS = (3, 11)


@dataclass(frozen=True)
class TFLiteParity:
    """The largest differences between a file's outputs and the model's.

    Attributes:
        ddf_mm: Of the displacement field, as a length in mm.
        moved: Of the moved image, as a fraction of its range.
        affine_mm: Of where the affine matrix takes the corners of the grid.
        control_points_mm: Of the control points; 0 if there are none.
        largest_mm: How far the model displaces anything in these pairs.
        parameters_seconds: How long the signature `parameters` takes, on all cores.
        register_seconds: Likewise, the signature `register`.
        parameters_mb: The most memory that a process with LiteRT and NumPy needs for
            the signature `parameters`.
        register_mb: Likewise, for both signatures.
    """

    ddf_mm: float
    moved: float
    affine_mm: float
    control_points_mm: float
    largest_mm: float
    parameters_seconds: float
    register_seconds: float
    parameters_mb: float
    register_mb: float

    def within_tolerance(self, precision: str) -> bool:
        """Whether all differences are what this precision may cost; NaN isn't."""
        lengths = (self.ddf_mm, self.affine_mm, self.control_points_mm)
        return (
            all(length <= MM_TOLERANCE[precision] for length in lengths)
            and self.moved <= FRACTION_TOLERANCE[precision]
        )

    def __str__(self) -> str:
        return (
            f"ddf {self.ddf_mm:.2g} mm of {self.largest_mm:.2g} mm; moved "
            f"{self.moved:.2g} of its range; affine {self.affine_mm:.2g} mm; control "
            f"points {self.control_points_mm:.2g} mm"
        )


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
            `MM_TOLERANCE` or `FRACTION_TOLERANCE`.
    """
    pairs = example_pairs(model.config, shape)
    inputs = {
        f"{number}/{name}": array
        for number, pair in enumerate(pairs)
        for name, array in pair.items()
    }
    received = run_script(_SCRIPT, path, inputs, "file", "LiteRT")
    worst = {"ddf_mm": 0.0, "moved": 0.0, "affine_mm": 0.0, "control_points_mm": 0.0}
    largest = 0.0
    for number, pair in enumerate(pairs):
        expected = _predict(model, pair)
        largest = max(largest, _longest(expected["ddf"], pair["spacing"]))
        for signature in (REGISTER, PARAMETERS):
            outputs = _under(received, f"{number}/{signature}/")
            for name, value in compare(pair, expected, outputs, signature).items():
                worst[name] = float(np.max([worst[name], value]))  # keeps NaN
    parity = TFLiteParity(
        **worst,
        largest_mm=largest,
        parameters_seconds=float(received[f"seconds/{PARAMETERS}"]),
        register_seconds=float(received[f"seconds/{REGISTER}"]),
        parameters_mb=float(received[f"peak_bytes/{PARAMETERS}"]) / 1e6,
        register_mb=float(received[f"peak_bytes/{REGISTER}"]) / 1e6,
    )
    if not parity.within_tolerance(precision):
        raise ExportError(
            "the exported file doesn't give what the model gives (allowed for "
            f"{precision} are {MM_TOLERANCE[precision]} mm and "
            f"{FRACTION_TOLERANCE[precision]} of the range); largest differences: "
            f"{parity}"
        )
    return parity


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
    pair: Arrays, expected: Arrays, received: Arrays, signature: str = REGISTER
) -> dict[str, float]:
    """Returns the largest differences, named as in `TFLiteParity`.

    Raises:
        ExportError: If an output is missing or has another shape.
    """
    change = {}
    for name, array in expected.items():
        if signature == PARAMETERS and name in ("ddf", "moved"):
            continue
        shape = received[name].shape if name in received else "none"
        if shape != array.shape:
            raise ExportError(
                f"the exported file's output `{name}` must have the shape "
                f"{array.shape}. Received: {shape}"
            )
        change[name] = received[name].astype(np.float64) - array
    spacing = pair["spacing"]
    size = pair["fixed"].shape[1:-1]
    corners = np.array(list(itertools.product(*[(0, n - 1) for n in size])))
    matrix = change["affine"][0]
    points = [
        _longest(array, spacing)
        for name, array in change.items()
        if name.startswith("control_points_")
    ]
    differences = {
        "affine_mm": _longest(corners @ matrix[:, :-1].T + matrix[:, -1], spacing),
        "control_points_mm": float(np.max([0.0, *points])),
    }
    if signature == REGISTER:
        moved = np.max(np.abs(change["moved"])) / np.ptp(expected["moved"])
        differences["ddf_mm"] = _longest(change["ddf"], spacing)
        differences["moved"] = float(moved)
    return differences


def _longest(vectors: np.ndarray, spacing: np.ndarray) -> float:
    """The greatest length, in mm, of vectors in voxels."""
    return float(np.max(np.linalg.norm(vectors * spacing[0], axis=-1)))


def _predict(model: Model, pair: Arrays) -> Arrays:
    """What the model gives on the CPU: a GPU rounds differently."""
    with tf.device("/CPU:0"):
        outputs: dict[str, Any] = model.network(
            {name: tf.constant(array) for name, array in pair.items()}, training=False
        )
        return {name: ops.convert_to_numpy(array) for name, array in outputs.items()}


def _under(arrays: Arrays, prefix: str) -> Arrays:
    return {
        name.removeprefix(prefix): array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }
