"""Training on pairs that are made: it learns, can be repeated and resumed."""

import csv

import numpy as np
import pytest
from keras import ops

from dlir_tf.compute.compilation import without_islands
from dlir_tf.config import Config
from dlir_tf.config.synthesis import Synthesis
from dlir_tf.errors import InputError
from dlir_tf.models.folder import weights_digest
from dlir_tf.synthesis.pairs import synthetic_pairs
from dlir_tf.training import train
from dlir_tf.training.initial_weights import check_stages
from dlir_tf.training.phases import training_phases
from dlir_tf.training.reporter import Silent
from dlir_tf.training.synthetic import draw_for, in_both_directions

CONFIG = {
    "ndim": 2,
    "spacing": None,
    "longest_axis": 32,
    "stages": [
        {
            "transform": "bspline",
            "downsample": 2,
            "control_point_spacing": 16,
            "filters": [8, 16],
            "lattice_filters": 16,
        }
    ],
    "training": {
        "steps": 2,
        "validate_every": 1,
        "batch_size": 2,
        "learning_rate": 5e-3,
        "supervision": {"labels": 1.0, "landmarks": 0.2, "labels_per_step": 4},
        "synthesis": {
            "sizes": [[32, 16]],
            "validation_pairs": 2,
            "rotation_degrees": 0,
            "scale": 0.0,
            "translation": 0.4,
            "same_contrast": 1.0,
            "background": 1.0,
        },
    },
}
SETTINGS = Synthesis(sizes=((24, 16),))


def config_with(**training):
    merged = {**CONFIG["training"], **training}
    return Config.model_validate({**CONFIG, "training": merged})


@pytest.fixture(autouse=True)
def _uncompiled():
    with without_islands():
        yield


def weights_of(model):
    return [np.array(weight) for weight in model.network.get_weights()]


def rows_of(folder):
    with (folder / "training.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


class Interrupting(Silent):
    """Stops a training after its first row."""

    def logged(self, phase, step, values):
        raise KeyboardInterrupt


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A model, trained without interruption."""
    with without_islands():
        return train(config_with(), [], tmp_path_factory.mktemp("a") / "whole", seed=5)


def test_an_interrupted_training_arrives_where_another_one_does(tmp_path, whole):
    with pytest.raises(KeyboardInterrupt):
        train(config_with(), [], tmp_path / "cut", seed=5, reporter=Interrupting())
    resumed = train(config_with(), [], tmp_path / "cut", seed=5, resume=True)
    for expected, found in zip(weights_of(whole), weights_of(resumed), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)
    first, last = rows_of(tmp_path / "cut")
    assert (first["step"], last["step"]) == ("1", "2")
    for name in ("label_loss", "landmark_loss", "validation_landmark_error"):
        assert float(last[name]) > 0
    assert 0 < float(last["validation_dice"]) < 1
    assert last["similarity_loss"] == ""
    assert whole.provenance["num_pairs"] == 0
    assert whole.provenance["num_validation_pairs"] == 2


@pytest.mark.slow
def test_it_learns(tmp_path):
    synthesis = {**CONFIG["training"]["synthesis"], "validation_pairs": 8}
    changes = {"steps": 600, "validate_every": 150, "batch_size": 8}
    train(config_with(**changes, synthesis=synthesis), [], tmp_path / "model")
    rows = rows_of(tmp_path / "model")
    errors, overlaps = (
        [float(row[f"validation_{name}"]) for row in rows]
        for name in ("landmark_error", "dice")
    )
    # The first ones have learned something already.
    assert errors[-1] < 0.85 * errors[0]
    assert overlaps[-1] > overlaps[0] + 0.03


def test_stages_can_all_train_together_from_the_beginning():
    phases = training_phases(config_with(steps=0, joint_steps=2))
    assert [(p.name, p.num_frozen, p.steps) for p in phases] == [("joint", 0, 2)]
    with pytest.raises(Exception, match=r"training\.steps: must be greater than 0"):
        config_with(steps=0)


def test_initial_weights_are_begun_with(tmp_path, whole):
    config = config_with(learning_rate=1e-9, steps=1)
    second = train(config, [], tmp_path / "second", initial=whole, seed=3)
    for expected, found in zip(weights_of(whole), weights_of(second), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-6)
    digest = second.provenance["initial_weights_sha256"]
    assert digest == weights_digest(whole.network)
    other = {**CONFIG["stages"][0], "lattice_filters": 8}
    other = Config.model_validate({**CONFIG, "stages": [other]})
    with pytest.raises(InputError, match=r"stages\[0\]\.lattice_filters is 16 there"):
        train(other, [], tmp_path / "third", initial=whole)
    assert not (tmp_path / "third").exists()


def test_further_stages_begin_as_the_last_one_of_the_initial_model(tmp_path, whole):
    config = config_with(joint_learning_rate=1e-9, steps=0, joint_steps=1)
    config = config.model_copy(update={"stages": config.stages * 3})
    longer = train(config, [], tmp_path / "longer", initial=whole, seed=3)
    expected = weights_of(whole) * 3
    for before, found in zip(expected, weights_of(longer), strict=True):
        np.testing.assert_allclose(found, before, atol=1e-6)
    with pytest.raises(InputError, match="the number of stages is 3 there and 1"):
        check_stages(config_with(), config, "model")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"bending_energy": 9.0, "steps": 7, "learning_rate": 0.1}, None),
        ({"filters": [8, 8]}, r"stages\[0\]\.filters is \[8, 16\] there and \[8, 8\]"),
        ({"control_point_spacing": 8}, r"stages\[0\]\.control_point_spacing is"),
    ],
)
def test_networks_are_compared_and_not_how_they_train(changes, message):
    stages = [{**CONFIG["stages"][0], **changes}]
    training = {**CONFIG["training"], "synthesis": None}
    config = Config.model_validate({**CONFIG, "stages": stages, "training": training})
    if message is None:
        check_stages(config, config_with(), "model")
        return
    with pytest.raises(InputError, match=f"^model: its weights don't fit.*{message}"):
        check_stages(config, config_with(), "model")


def test_the_other_direction_of_a_pair_is_another_pair():
    pairs = synthetic_pairs((1, 2), (24, 16), SETTINGS, num_points=8)
    both = in_both_directions(pairs)
    for name, twin in {
        "fixed": "moving",
        "moving_labels": "fixed_labels",
        "fixed_points": "moving_points",
        "mask": "mask",
        "label_values": "label_values",
    }.items():
        values = ops.convert_to_numpy(both[name])
        assert len(values) == 2
        np.testing.assert_array_equal(values[0], pairs[name][0])
        np.testing.assert_array_equal(values[1], pairs[twin][0])


def test_what_a_step_shows_depends_on_its_numbers_alone():
    settings = Synthesis(sizes=((32, 32), (32, 16)), atlases=0.5)
    draws = [draw_for((1, 0, step), settings, 3) for step in range(60)]
    again = [draw_for((1, 0, step), settings, 3) for step in range(60)]
    for one, other in zip(draws, again, strict=True):
        np.testing.assert_array_equal(one.seed, other.seed)
        assert one[1:] == other[1:]
    assert {draw.size for draw in draws} == {(32, 32), (32, 16)}
    assert {draw.atlas for draw in draws} == {None, 0, 1, 2}
    assert len({tuple(draw.seed) for draw in draws}) == 60
    assert {draw_for((1, 0, s), settings, 0).atlas for s in range(9)} == {None}


def test_pairs_are_needed_where_none_are_made(tmp_path):
    config = config_with(synthesis=None, supervision={})
    with pytest.raises(InputError, match="at least one to train on"):
        train(config, [], tmp_path / "model")


def test_own_pairs_need_no_labels_where_made_ones_are_supervised_by_them(
    tmp_path, make_pairs, whole
):
    config = config_with(steps=1, augmentation={"rotation_degrees": 0, "noise": 0})
    output = tmp_path / "model"
    train(config, make_pairs(1), output, initial=whole)
    (row,) = rows_of(output)
    assert row["similarity_loss"]
    assert row["label_loss"] == row["landmark_loss"] == ""
