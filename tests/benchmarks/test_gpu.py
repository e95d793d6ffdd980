"""The script for one GPU: what it trains, and that all of it runs without one."""

import argparse

import gpu
import pytest
import yaml

from dlir_tf.config import dump_config, load_config
from dlir_tf.models.folder import load_model
from dlir_tf.training.phases import training_phases

TINY = {
    "ndim": 2,
    "spacing": None,
    "longest_axis": 16,
    "initial_alignment": "centers",
    "stages": [
        {
            "transform": "bspline",
            "downsample": 1,
            "control_point_spacing": 8,
            "filters": [4],
            "lattice_filters": 4,
        }
    ],
    "training": {
        "supervision": {"labels": 1.0, "labels_per_step": 4},
        "synthesis": {"sizes": [[16, 16]], "validation_pairs": 1, "num_labels": 4},
    },
}


@pytest.mark.parametrize("name", ["general", "general-2d"])
def test_all_stages_train_together_for_the_steps_that_fit(name):
    config = gpu.for_steps(gpu.with_batch_size(load_config(name), 6), 340)
    (phase,) = training_phases(config)
    assert (phase.name, phase.num_frozen, phase.steps) == ("joint", 0, 340)
    assert config.training.batch_size == 6
    assert config.training.validate_every == 17
    assert gpu.for_steps(config, 2).training.validate_every == 1


@pytest.mark.slow
def test_it_trains_and_measures_within_its_minutes(tmp_path):
    (tmp_path / "tiny.yaml").write_text(yaml.safe_dump(TINY))
    options = argparse.Namespace(
        config=str(tmp_path / "tiny.yaml"),
        output=tmp_path / "model",
        atlases=None,
        initial_weights=None,
        minutes=0.05,
        batch_size=2,
        seed=0,
        rounds=1,
        refine=2,
        shrink=8,
    )
    results = gpu.run(options)
    model = load_model(tmp_path / "model")
    assert model.provenance["steps"] == {"joint": results["steps"]}
    assert "longest_axis: 16" in dump_config(model.config)
    assert len(results["milliseconds"]) == 4
    assert all(ms > 0 for ms in results["milliseconds"].values())
    assert "cardiac-cine, 32×28×8" in gpu.tables(results)
