"""Models of more stages than were trained, as those that ship as `general` are."""

from pathlib import Path

import numpy as np
import pytest
import stack
import yaml
from random_models import spline, write_random_model

from dlir_tf.config import load_config, read_config
from dlir_tf.errors import InputError
from dlir_tf.models.folder import load_model
from dlir_tf.models.folder_files import CONFIG_FILE
from dlir_tf.models.names import SHIPPED
from dlir_tf.training.initial_weights import check_stages

ROOT = Path(__file__).resolve().parents[2]
TRAINED = {"coarse": "general", "larger": "general", "coarse-2d": "general-2d"}
CONFIG = {"ndim": 2, "spacing": [1.5, 2.0], "stages": [spline([8, 8]), spline([4, 2])]}


@pytest.fixture
def trained(tmp_path):
    """A model of two stages, and a preset of four."""
    folder, preset = tmp_path / "trained", tmp_path / "more.yaml"
    rng = np.random.default_rng(5)
    write_random_model(folder, CONFIG, rng, 0.3, added=False, provenance={"seed": 7})
    (folder / "training.csv").write_text("phase,step\njoint,9\n")
    stages = [*CONFIG["stages"], spline([4, 2]), spline([4, 2])]
    preset.write_text(yaml.safe_dump({**CONFIG, "stages": stages}))
    return folder, preset


def test_further_stages_are_copies_of_the_last_one(trained, tmp_path):
    folder, preset = trained
    stack.stack(folder, str(preset), tmp_path / "stacked")
    before, after = load_model(folder), load_model(tmp_path / "stacked")
    assert after.config == read_config(preset)
    assert after.provenance["seed"] == 7
    log = (tmp_path / "stacked" / "training.csv").read_text()
    assert log == (folder / "training.csv").read_text()
    weights = [
        [np.array(w) for w in layer.get_weights()]
        for model in (before, after)
        for layer in model.network.layers
        if layer.weights
    ]
    assert len(weights) == 2 + 4
    for copy, original in zip(weights[2:], [0, 1, 1, 1], strict=True):
        for array, expected in zip(copy, weights[original], strict=True):
            np.testing.assert_array_equal(array, expected)


def test_stages_that_are_no_copies_are_refused(trained, tmp_path):
    folder, preset = trained
    other = {**CONFIG, "stages": [*CONFIG["stages"], spline([8, 8])]}
    preset.write_text(yaml.safe_dump(other))
    with pytest.raises(
        InputError, match=r"stages\[2\]\.control_point_spacing is \[4, 2"
    ):
        stack.stack(folder, str(preset), tmp_path / "stacked")
    assert not (tmp_path / "stacked").exists()


@pytest.mark.parametrize(("trained_by", "preset"), TRAINED.items())
def test_what_is_trained_has_the_first_stages_of_what_ships(trained_by, preset):
    path = ROOT / "benchmarks" / "general" / f"{trained_by}.yaml"
    check_stages(load_config(preset), read_config(path), trained_by)
    shipped = {"general": "general-3d"}.get(preset, preset)
    assert read_config(SHIPPED / shipped / CONFIG_FILE) == load_config(preset)
