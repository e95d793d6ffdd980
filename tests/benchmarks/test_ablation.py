"""The ablation: what a variant changes, what is kept, what is shown."""

import argparse
import json
from pathlib import Path

import ablation
import numpy as np
import pytest
from comparison.all_stages import evaluated
from comparison.variants import VARIANTS, variant_config

from dlir_tf.config import load_config
from dlir_tf.errors import InputError
from dlir_tf.pairs.manifest import read_manifest
from dlir_tf.phantoms import write_phantoms

ROOT = Path(__file__).resolve().parents[2]
RESULTS = sorted((ROOT / "benchmarks" / "results" / "ablation").glob("*.json"))
BRAIN, HEART = load_config("brain-2d"), load_config("cardiac-cine")


def test_variants_leave_out_what_they_say():
    deformable = [s for s in BRAIN.stages if s.transform == "bspline"]
    changed = {name: variant_config(BRAIN, name) for name in VARIANTS}
    stages = {name: config.stages for name, config in changed.items() if config}
    assert set(stages) == set(VARIANTS)
    assert stages["affine"] == BRAIN.stages[:1]
    assert stages["one-deformable"] == BRAIN.stages[:2]
    assert stages["all"] == stages["refined"] == BRAIN.stages
    for name, bending, bound in (
        ("no-bending", [0.0] * len(deformable), True),
        ("no-bound", [s.bending_energy for s in deformable], False),
        ("neither", [0.0] * len(deformable), False),
    ):
        assert stages[name][0] == BRAIN.stages[0]
        assert [s.bending_energy for s in stages[name][1:]] == bending
        assert {s.injective for s in stages[name][1:]} == {bound}
    assert stages["average-pooling"][1:] == BRAIN.stages[1:]
    assert stages["average-pooling"][0].pooling_mode == "average"
    assert stages["affine-average-pooling"] == stages["average-pooling"][:1]
    for config in changed.values():
        # What a user could have written.
        assert type(config).model_validate(config.model_dump(mode="json")) == config


def test_variants_without_meaning_are_left_out():
    said = {name for name in VARIANTS if variant_config(HEART, name)}
    assert said == {
        "one-deformable",
        "all",
        "no-bending",
        "no-bound",
        "neither",
        "refined",
    }


@pytest.fixture
def options(tmp_path):
    train, test = write_phantoms(tmp_path / "hearts", num_train=2, num_test=2)
    return argparse.Namespace(
        config="demo",
        pairs=train,
        validation=test,
        steps=3,
        seed=0,
        refine=2,
        variants="one-deformable,refined,affine-average-pooling",
        threads=1,
        output=tmp_path / "ablation",
        page=None,
    )


@pytest.mark.slow
def test_what_was_measured_isnt_measured_again(options, monkeypatch):
    calls = []
    call = ablation.call

    def interrupted(command, arguments, threads):
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(command)
        call(command, arguments, threads)

    monkeypatch.setattr(ablation, "call", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ablation.run(options)
    monkeypatch.setattr(ablation, "call", call)
    contents = ablation.run(options)
    assert calls == ["train", "evaluate", "train"]
    assert set(contents["results"]) == {"one-deformable", "refined"}
    assert json.loads((options.output / "results.json").read_text()) == contents
    monkeypatch.delattr(ablation, "call")
    assert ablation.run(options) == contents
    lines = ablation.table(contents["results"]).splitlines()
    assert lines[0].startswith("| mean over 2 pairs | Dice |")
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| before",
        "| up to the first deformable stage",
        "| all stages, then refined",
    ]
    options.steps = 4
    with pytest.raises(InputError, match="was made with another `steps`"):
        ablation.run(options)


def test_stages_that_fold_are_evaluated_as_they_are(options):
    """Else a variant without the bound would be measured without its last stages."""
    from dlir_tf.evaluation.evaluate import evaluate_pair
    from dlir_tf.models.folder import make_model
    from dlir_tf.models.model import build_model

    config = variant_config(load_config("demo"), "neither")
    network, rng = build_model(config), np.random.default_rng(0)
    network.set_weights([rng.normal(0, 0.2, w.shape) for w in network.get_weights()])
    model = make_model(config, network)
    pair = read_manifest(options.validation)[0]
    assert evaluate_pair(pair, model).after.folded_percent == 0
    assert evaluated(pair, model).after.folded_percent > 1


def test_models_of_another_run_are_not_taken(options, monkeypatch):
    """Also if that was interrupted before its first result."""

    def interrupted(command, arguments, threads):
        raise KeyboardInterrupt

    monkeypatch.setattr(ablation, "call", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ablation.run(options)
    options.seed = 1
    with pytest.raises(InputError, match="was made with another `seed`"):
        ablation.run(options)


def test_unknown_variant_is_named(options):
    options.variants = "all,everything"
    with pytest.raises(InputError, match="no variant is called 'everything'"):
        ablation.run(options)


def test_failure_of_a_command_ends_it(options):
    options.config = "brain-2d"
    with pytest.raises(InputError, match=r"^train ended with 1"):
        ablation.run(options)


def test_table_has_means_and_leaves_out_what_isnt_there():
    rows = [
        {"dice_before": 0.25, "dice_after": 0.5, "folded_percent": 0.0},
        {"dice_before": 0.75, "dice_after": 0.75, "folded_percent": 0.5},
    ]
    *_, before, after = ablation.table({"all": rows}).splitlines()
    assert before == "| before | 0.500 (0.354) |  |  |  |  |"
    assert after == "| all stages | 0.625 (0.177) |  |  | 0.25 (at most 0.5) |  |"


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_the_page_shows_the_results_that_are_kept(path):
    contents = json.loads(path.read_text("utf-8"))
    page = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")
    mark = f"<!-- ablation, {contents['bound']['name']} -->"
    assert f"{mark}\n\n{ablation.table(contents['results'])}" in page
