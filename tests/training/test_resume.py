"""A training that was interrupted anywhere arrives where an uninterrupted one does."""

import csv

import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.models.folder import load_model
from dlir_tf.training import train
from dlir_tf.training.checkpoint import load_checkpoint
from dlir_tf.training.pair_source import PairSource
from dlir_tf.training.reporter import Silent

# In the order in which they strike the same training, one after another.
MOMENTS = (
    ("preparing", 2),
    ("first batch", "stage_1_bspline"),
    ("logged", ("stage_1_bspline", 4)),
    ("first batch", "stage_2_bspline"),
    ("logged", ("stage_2_bspline", 6)),
)


class Interrupter(Silent):
    """Presses Ctrl-C at one moment."""

    def __init__(self, moment, patch):
        self._moment = moment
        original = PairSource.steps

        def steps(source, network, phase, *others):
            self._strike("first batch", phase.name)
            return original(source, network, phase, *others)

        patch.setattr(PairSource, "steps", steps)

    def _strike(self, *moment):
        if moment == self._moment:
            raise KeyboardInterrupt

    def preparing(self, done, total):
        self._strike("preparing", done)

    def logged(self, phase, step, values):
        self._strike("logged", (phase, step))


def rows(folder):
    with (folder / "training.csv").open(newline="") as stream:
        return [{**row, "seconds": ""} for row in csv.DictReader(stream)]


@pytest.fixture
def config(make_config):
    # Of the random changes only those that take no time to compile.
    augmentation = {"rotation_degrees": 0, "scale": 0, "translation": 0}
    config = make_config(
        "bspline bspline",
        cache="disk",
        augmentation=augmentation,
        supervision={"labels": 0.3},
    )
    stages = [s.model_copy(update={"normalization": "batch"}) for s in config.stages]
    return config.model_copy(update={"stages": tuple(stages)})


class Observer(Silent):
    """Looks at the checkpoint when a later phase has already trained."""

    def __init__(self, path):
        self._path = path
        self.weights = {}

    def logged(self, phase, step, values):
        self.weights[phase, step] = load_checkpoint(self._path).weights


@pytest.mark.slow
def test_interrupted_anywhere(config, make_pairs, tmp_path, monkeypatch):
    pairs = make_pairs(3, shapes=((32, 24), (24, 16)), labels=True)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    observer = Observer(whole / "checkpoint.npz")
    reference = train(config, pairs, whole, seed=3, reporter=observer)
    for moment in MOMENTS:
        resume = (parts / "checkpoint.npz").is_file()
        with monkeypatch.context() as patch:
            interrupter = Interrupter(moment, patch)
            with pytest.raises(KeyboardInterrupt):
                train(config, pairs, parts, seed=3, resume=resume, reporter=interrupter)
    with pytest.raises(InputError, match="is in use already; go on"):
        train(config, pairs, parts, seed=3)
    with pytest.raises(InputError, match="another config, seed"):
        train(config, pairs, parts, seed=4, resume=True)
    with pytest.raises(InputError, match="another config, seed"):
        train(config, pairs, parts, seed=3, validation=pairs, resume=True)
    train(config, pairs, parts, seed=3, resume=True)
    assert rows(parts) == rows(whole)
    weights = reference.network.get_weights()
    for a, b in zip(weights, load_model(parts).network.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)
    assert_first_stage_frozen(reference, observer.weights["stage_2_bspline", 4])


def assert_first_stage_frozen(reference, during_second_stage):
    """Compares weights from the midst of stage 2 with the final ones."""
    frozen = {id(w) for w in reference.network.get_layer("stage_1_bspline").weights}
    same = {True: [], False: []}
    for weight, before in zip(
        reference.network.weights, during_second_stage, strict=True
    ):
        same[id(weight) in frozen].append(np.array_equal(weight, before))
    assert all(same[True])
    assert not any(same[False])
