"""Files of dlir-tf 0.1.0 before its modules moved: they go on being read.

`data` was made by that code: a model, the same training stopped in its second of three
phases, transforms, and in `expected.json` where that code mapped points to.
"""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import dlir_tf
from dlir_tf.pairs.manifest import read_manifest
from dlir_tf.training.checkpoint import load_checkpoint

DATA = Path(__file__).parent / "data"
EXPECTED = json.loads((DATA / "expected.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["registered", "components", "inverse"])
def test_transforms_map_points_as_they_did(name):
    transform = dlir_tf.read_transform(DATA / f"{name}.npz")
    mapped = transform.map_points(np.array(EXPECTED[name]["points"]))
    np.testing.assert_allclose(mapped, EXPECTED[name]["mapped"], rtol=0, atol=1e-9)


def test_a_model_registers_as_it_did():
    model = dlir_tf.load_model(DATA / "model")
    pair = read_manifest(DATA / "pairs.csv")[EXPECTED["model"]["pair"]]
    fixed, moving = dlir_tf.read_image(pair.fixed), dlir_tf.read_image(pair.moving)
    result = dlir_tf.register(fixed, moving, model=model, do_no_harm=False)
    points = np.array(EXPECTED["model"]["points"])
    mapped = result.transform.map_points(points)
    assert np.abs(mapped - points).max() > 0.5
    # Processors differ in how they add up a convolution.
    np.testing.assert_allclose(mapped, EXPECTED["model"]["mapped"], rtol=0, atol=1e-3)


def test_an_interrupted_training_goes_on(tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(DATA / "interrupted", folder)
    before = load_checkpoint(folder / "checkpoint.npz").progress
    assert (before.phase, before.step) == (1, 2)
    pairs = read_manifest(DATA / "pairs.csv")
    config = dlir_tf.load_config(folder / "config.yaml")
    resumed = dlir_tf.train(config, pairs, folder, seed=3, resume=True)
    whole = dlir_tf.load_model(DATA / "model")
    pairs_of_weights = zip(resumed.network.weights, whole.network.weights, strict=True)
    for ours, theirs in pairs_of_weights:
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=0, atol=1e-3)
