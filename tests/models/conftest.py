"""A model of two splines and an affine, with random weights, as a LiteRT file."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from dlir_tf.config import Config
from dlir_tf.export.tflite.file import export_tflite
from dlir_tf.models.folder import Model, make_model, save_model
from dlir_tf.models.litert import LiteRTModel, load_litert
from dlir_tf.models.model import build_model

SHAPE = (20, 24, 6)
CONFIG = {
    "ndim": 3,
    "spacing": [3.0, 2.5, None],
    "axes": "slices_last",
    "initial_alignment": "centers",
    "stages": [
        {
            "transform": "affine",
            "downsample": [2, 2, 1],
            "feature_spacing": [4, 4, 1],
            "filters": [3],
            "dense_units": [4],
        },
        {
            "transform": "bspline",
            "downsample": 1,
            "control_point_spacing": [4, 4, 1],
            "filters": [3],
            "lattice_filters": 3,
            "normalization": "batch",
        },
    ],
}


@dataclass(frozen=True)
class Exported:
    """A model, its folder and its file."""

    model: Model
    folder: Path
    path: Path

    def load(self) -> LiteRTModel:
        return load_litert(self.path)


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Exported:
    config = Config.model_validate(CONFIG)
    network = build_model(config)
    rng = np.random.default_rng(17)
    for weight in network.weights:
        value = weight.numpy() + rng.normal(0, 0.2, weight.shape)
        weight.assign(np.abs(value) if "variance" in weight.path else value)
    model = make_model(config, network, {"seed": 17, "weights_sha256": "0a1b"})
    folder = tmp_path_factory.mktemp("litert")
    save_model(folder / "model", model)
    export_tflite(model, folder / "model.tflite", shape=SHAPE)
    return Exported(model, folder / "model", folder / "model.tflite")
