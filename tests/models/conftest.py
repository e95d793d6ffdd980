"""A model of two splines and an affine, with random weights, as a LiteRT file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from random_models import affine, random_model, spline

from dlir_tf.export.tflite.file import export_tflite
from dlir_tf.models.folder import Model, save_model
from dlir_tf.models.litert import load_litert

SHAPE = (20, 24, 6)
CONFIG = {
    "ndim": 3,
    "spacing": [3.0, 2.5, None],
    "axes": "slices_last",
    "initial_alignment": "centers",
    "stages": [
        affine([4, 4, 1], [2, 2, 1]),
        spline([4, 4, 1], normalization="batch"),
    ],
}


@dataclass(frozen=True)
class Exported:
    """A model, its folder and its file."""

    model: Model
    folder: Path
    path: Path

    def load(self):
        return load_litert(self.path)


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    provenance = {"seed": 17, "weights_sha256": "0a1b"}
    rng = np.random.default_rng(17)
    model = random_model(CONFIG, rng, 0.2, provenance=provenance)
    folder = tmp_path_factory.mktemp("litert")
    save_model(folder / "model", model)
    export_tflite(model, folder / "model.tflite", shape=SHAPE)
    return Exported(model, folder / "model", folder / "model.tflite")
