"""Whole trainings, tiny ones: what they learn and leave behind, and bad input."""

import csv
import errno
import json
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.config import Augmentation
from dlir_tf.errors import InputError
from dlir_tf.images import read_image
from dlir_tf.models.folder import load_model, model_inputs
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.registration import register
from dlir_tf.training import pair_source, session, train, trainer
from dlir_tf.training.checkpoint import load_checkpoint, save_checkpoint

OFF = Augmentation(rotation_degrees=0, scale=0, translation=0, gamma=0, noise=0)
SHIFT, SPACING = np.array([3, -2]), np.array([1.5, 2.0])


def rows(folder):
    with (folder / "training.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_known_motion_is_recovered(make_pairs, make_config, tmp_path):
    pairs, output = make_pairs(3, labels=True), tmp_path / "model"
    config = make_config(
        "affine", learning_rate=5e-3, validate_every=40, augmentation=OFF, cache="disk"
    )
    model = train(config, pairs, output, validation=pairs[:1], steps=80, seed=4)
    first, last = rows(output)
    assert float(last["loss"]) < 0.5 * float(first["loss"]) < 0.1
    assert float(last["validation_dice"]) > 0.9
    fixed, moving = read_image(pairs[1].fixed), read_image(pairs[1].moving)
    loaded = load_model(output)
    result = register(fixed, moving, model=loaded)
    points = np.array([[15.0, 20.0], [33.0, 24.0], [24.0, 10.0]])
    moved = result.transform.map_points(points) - points
    assert np.abs(moved - SHIFT * SPACING).max() < 1.0
    for a, b in zip(model.network.get_weights(), loaded.network.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert sorted(path.name for path in output.iterdir()) == [
        "config.yaml",
        "model.weights.h5",
        "provenance.json",
        "tensorboard",
        "training.csv",
        "training.html",
    ]
    provenance = json.loads((output / "provenance.json").read_text())
    assert provenance["seed"] == 4
    assert provenance["tensorflow"] == tf.__version__
    assert provenance["num_pairs"] == 3
    assert provenance["steps"] == {"stage_1_affine": 80}
    assert len(provenance["data_sha256"]) == 64


def test_mixed_precision_trains_a_model_that_is_used_in_float32(
    make_pairs, make_config, tmp_path
):
    pairs = make_pairs(2)
    config = make_config("bspline", mixed_precision=True, steps=8, learning_rate=5e-3)
    model = train(config, pairs, tmp_path / "model", validation=pairs[:1])
    assert model.provenance["precision"].startswith("mixed_")
    loaded = load_model(tmp_path / "model")
    assert {weight.dtype for weight in loaded.network.weights} == {"float32"}
    fixed, moving = read_image(pairs[0].fixed), read_image(pairs[0].moving)
    inputs = model_inputs(prepare_pair(fixed, moving, config))
    moved = np.array(loaded.network(inputs)["moved"])[0, ..., 0]
    used, before = (
        1 - np.corrcoef(fixed.array.ravel(), image.ravel())[0, 1]
        for image in (moved, moving.array)
    )
    trained = float(rows(tmp_path / "model")[-1]["validation_similarity_loss"])
    assert used < 0.8 * before
    assert used == pytest.approx(trained, abs=0.02 * before)
    assert tf.keras.config.dtype_policy().name == "float32"


class FakeStep:
    """In the place of the compiled step: counts, and fails where it is told to."""

    def __init__(self, monkeypatch):
        self.steps, self.error, self.loss = 0, {}, {}
        monkeypatch.setattr(pair_source, "make_train_step", self._make)

    def _make(self, network, config, phase, optimizer, strategy, seed):
        optimizer.build(network.trainable_variables)

        def step(batch):
            self.steps += 1
            if self.steps in self.error:
                raise self.error[self.steps]
            loss = self.loss.get(self.steps, 1.0)
            return {"loss": loss, "similarity_loss": loss, "bending_energy": 0.0}

        return step


@pytest.fixture
def fake_step(monkeypatch):
    return FakeStep(monkeypatch)


def test_a_nan_stops_the_training_before_it_is_saved(
    make_pairs, make_config, tmp_path, fake_step
):
    fake_step.loss = {5: float("nan")}
    with pytest.raises(InputError, match="stage_1_affine at step 5 is nan"):
        train(make_config("affine"), make_pairs(2), tmp_path / "model")
    assert load_checkpoint(tmp_path / "model" / "checkpoint.npz").progress.step == 4
    with pytest.raises(InputError, match="training isn't finished"):
        load_model(tmp_path / "model")


def test_the_best_weights_of_a_stage_are_kept(
    make_pairs, make_config, tmp_path, fake_step, monkeypatch
):
    """Validation says 3, 1, 2: the weights after the second row win."""
    seen = []

    class Validator:
        def __init__(self, network, *arguments):
            self._network, self._losses = network, iter([3.0, 1.0, 2.0])

        def __call__(self, sights):
            for weight in self._network.weights:
                weight.assign_add(weight * 0 + 1)
            seen.append([np.array(weight) for weight in self._network.weights])
            return {"validation_loss": next(self._losses)}

    monkeypatch.setattr(pair_source, "Validator", Validator)
    pairs, output = make_pairs(2), tmp_path / "model"
    train(make_config("affine"), pairs, output, validation=pairs[:1])
    assert len(seen) == 3
    network = load_model(output).network
    assert_equal_weights(network, seen[1])
    network.load_weights(output / "last.weights.h5")
    assert_equal_weights(network, seen[2])


def assert_equal_weights(network, expected):
    for weight, value in zip(network.get_weights(), expected, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_without_validation_the_last_weights_are_not_stored_twice(
    make_pairs, make_config, tmp_path, fake_step
):
    train(make_config("affine"), make_pairs(2), tmp_path / "model")
    assert not (tmp_path / "model" / "last.weights.h5").exists()


def test_another_number_of_gpus_is_another_training(
    make_pairs, make_config, tmp_path, fake_step, monkeypatch
):
    """Each of them adds a batch to every step."""
    pairs, config, output = make_pairs(2), make_config("affine"), tmp_path / "model"
    fake_step.error = {3: KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        train(config, pairs, output)
    two = SimpleNamespace(num_replicas_in_sync=2)
    monkeypatch.setattr(trainer, "training_strategy", lambda: two)
    with pytest.raises(InputError, match="number of steps or of GPUs"):
        train(config, pairs, output, resume=True)


def test_a_full_disk_costs_no_more_than_the_steps_since_the_last_row(
    make_pairs, make_config, tmp_path, fake_step, monkeypatch
):
    pairs, config, output = make_pairs(2), make_config("affine"), tmp_path / "model"
    saved = []

    def run_full(path, checkpoint):
        if checkpoint.progress.step == 4:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        saved.append(checkpoint.progress.step)
        save_checkpoint(path, checkpoint)

    with monkeypatch.context() as patch:
        patch.setattr(session, "save_checkpoint", run_full)
        with pytest.raises(OSError, match="No space left"):
            train(config, pairs, output)
    assert saved == [0, 2]
    fake_step.steps = 0
    train(config, pairs, output, resume=True)
    assert fake_step.steps == 4
    assert [row["step"] for row in rows(output)] == ["2", "4", "6"]


def test_another_backend_is_refused_before_anything_is_written(
    make_pairs, make_config, tmp_path, monkeypatch
):
    monkeypatch.setattr("keras.backend.backend", lambda: "jax")
    with pytest.raises(InputError, match=r"unset KERAS_BACKEND\. Received: jax"):
        train(make_config("affine"), make_pairs(1), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_bad_input_is_refused_before_anything_is_written(
    make_pairs, make_config, tmp_path
):
    pairs, config, output = make_pairs(1), make_config("affine"), tmp_path / "model"
    with pytest.raises(InputError, match="at least one"):
        train(config, [], output)
    with pytest.raises(InputError, match=r"from 0 to 2\*\*32 - 1. Received: -1"):
        train(config, pairs, output, seed=-1)
    with pytest.raises(InputError, match="no interrupted training"):
        train(config, pairs, output, resume=True)
    pairs[0].moving.write_bytes(b"no image")
    with pytest.raises(InputError, match=r"pairs\.csv, line 2: .*moving\.nii"):
        train(config, pairs, output)
    assert not output.exists()
