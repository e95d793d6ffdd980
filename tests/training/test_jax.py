"""A training on synthetic pairs goes the same way under JAX, without TensorFlow.

This file is a program, too: under KERAS_BACKEND=jax it trains a model.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from dlir_tf.compute.compilation import without_islands
from dlir_tf.config import Config
from dlir_tf.models.folder import load_model, make_model, save_model
from dlir_tf.models.model import build_model
from dlir_tf.training import train

CONFIG = {
    "ndim": 2,
    "spacing": None,
    "longest_axis": 16,
    "stages": [
        {
            "transform": "affine",
            "downsample": 1,
            "feature_spacing": 2,
            "filters": [4],
            "dense_units": [4],
        },
        {
            "transform": "bspline",
            "downsample": 1,
            "control_point_spacing": 8,
            "filters": [4],
            "lattice_filters": 4,
        },
    ],
    "training": {
        "steps": 0,
        "joint_steps": 2,
        "joint_learning_rate": 1e-2,
        "batch_size": 2,
        "validate_every": 2,
        "supervision": {"labels": 1.0, "landmarks": 0.2, "labels_per_step": 4},
        "synthesis": {"sizes": [[16, 16]], "validation_pairs": 1, "num_labels": 4},
    },
}


def begin(folder):
    """Writes a model whose networks do something from the first step on."""
    config = Config.model_validate(CONFIG)
    network, rng = build_model(config), np.random.default_rng(4)
    network.set_weights([rng.normal(0, 0.2, w.shape) for w in network.get_weights()])
    save_model(folder, make_model(config, network))


def go_on(begun, output):
    config, initial = Config.model_validate(CONFIG), load_model(begun)
    model = train(config, [], output, initial=initial, seed=2)
    (row,) = (output / "training.csv").read_text().splitlines()[1:]
    return [np.array(w) for w in model.network.get_weights()], row.split(",")


def test_jax_trains_as_tensorflow_does(tmp_path):
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed: pip install 'dlir-tf[jax]'")
    begin(tmp_path / "begun")
    root = Path(__file__).resolve().parents[2]
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # it compiles more than it computes
        "JAX_PLATFORMS": "cpu",
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": os.pathsep.join(paths),
    }
    run = subprocess.run(
        [sys.executable, __file__, str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    with without_islands():
        expected, row = go_on(tmp_path / "begun", tmp_path / "tensorflow")
    model = load_model(tmp_path / "jax")
    assert "jax" in model.provenance
    first = load_model(tmp_path / "begun").network.get_weights()
    for before, found, weight in zip(
        first, model.network.get_weights(), expected, strict=True
    ):
        np.testing.assert_allclose(found, weight, atol=1e-3)
        assert np.abs(found - before).max() > 5e-3
    lines = (tmp_path / "jax" / "training.csv").read_text().splitlines()
    names, under_jax = lines[0].split(","), lines[1].split(",")
    for name, value, wanted in zip(names, under_jax, row, strict=True):
        if "loss" in name and wanted:
            assert float(value) == pytest.approx(float(wanted), rel=1e-2), name
    assert not (tmp_path / "jax" / "tensorboard").exists()


class WithoutTensorFlow:
    """Has it look as if TensorFlow weren't installed; Keras takes it where it is."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tensorflow":
            raise ImportError("no TensorFlow here")


if __name__ == "__main__":
    if keras.backend.backend() != "jax" or "tensorflow" in sys.modules:
        sys.exit("this is to run under JAX, without TensorFlow")
    sys.meta_path.insert(0, WithoutTensorFlow())
    folder = Path(sys.argv[1])
    go_on(folder / "begun", folder / "jax")
