"""`--refine` and `--preset`: more than one shot, and none of a model at all."""

import csv
import json

import numpy as np
import pytest

from dlir_tf.cli import main
from dlir_tf.cli.work.progress import StepProgress
from dlir_tf.config import parse_config
from dlir_tf.images import read_image, write_image
from dlir_tf.metrics import dice
from dlir_tf.models.folder import make_model, save_model
from dlir_tf.models.model import build_model
from dlir_tf.phantoms import beating_heart

PRESET = """
ndim: 3
spacing: [4.0, 4.0, null]
axes: slices_last
stages:
- {transform: bspline, downsample: 1, control_point_spacing: [8, 8, 1],
   filters: [4, 4], lattice_filters: 4}
refinement: {steps: 30}
"""
FILES = ("fixed", "moving", "fixed_labels", "moving_labels")
REGISTER = ("register", "fixed.nii", "moving.nii", "--output", "out/moved.nii")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A pair with labels, a preset of one's own, and a model that does nothing yet."""
    folder = tmp_path_factory.mktemp("desk")
    heart = beating_heart(5, shape=(40, 36, 3), spacing=(3.6, 3.9, 9.0))
    for name in FILES:
        write_image(folder / f"{name}.nii", getattr(heart, name))
    rows = [",".join(FILES), ",".join(f"{name}.nii" for name in FILES)]
    (folder / "pairs.csv").write_text("\n".join(rows))
    (folder / "preset.yaml").write_text(PRESET)
    config = parse_config(PRESET, "preset")
    save_model(folder / "model", make_model(config, build_model(config)))
    return folder


@pytest.fixture
def here(desk, monkeypatch):
    monkeypatch.chdir(desk)
    (desk / "out").mkdir(exist_ok=True)
    for file in (desk / "out").iterdir():
        file.unlink()
    return desk


def ended(*arguments):
    """Runs a command; returns its exit code."""
    try:
        main(list(arguments))
    except SystemExit as stop:
        return stop.code or 0
    return 0


def overlap(folder, moved):
    fixed = read_image(folder / "fixed_labels.nii").array
    return np.mean(list(dice(fixed, read_image(folder / moved).array).values()))


@pytest.mark.parametrize(
    "by", [("--preset", "preset.yaml"), ("--refine", "30", "--model", "model")]
)
def test_a_pair_is_registered_better_than_before(here, capsys, by):
    """Without a model, and with one that says nothing; by the same loss."""
    labels = ("--labels", "moving_labels.nii", "--moved-labels", "out/labels.nii")
    assert ended(*REGISTER, *by, *labels, "--report", "out/report.json") == 0
    assert overlap(here, "out/labels.nii") > overlap(here, "moving_labels.nii") + 0.1
    report = json.loads((here / "out" / "report.json").read_text())
    refinement = report["refinement"]
    assert 0 < refinement["steps"] <= 30
    assert refinement["loss_after"] < 0.5 * refinement["loss_before"]
    assert report["similarity_after"] > report["similarity_before"]
    assert report["folded_percent"] == 0
    said = capsys.readouterr().err
    assert f"Refined in {refinement['steps']} steps: loss" in said


def test_pairs_are_evaluated_without_a_model(here, capsys):
    output = ("--output", "out/evaluation.csv")
    settings = ("--pairs", "pairs.csv", "--preset", "preset.yaml", "--refine", "12")
    assert ended("evaluate", *settings, *output) == 0
    with (here / "out" / "evaluation.csv").open(newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["dice_after"]) > float(row["dice_before"]) + 0.05
    assert float(row["folded_percent"]) == 0
    assert "1 of 1 pairs" in capsys.readouterr().err


def test_an_interrupted_refinement_leaves_nothing_behind(here, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(StepProgress, "stepped", interrupt)
    assert ended(*REGISTER, "--preset", "preset.yaml") == 130
    assert capsys.readouterr().err.splitlines()[-1] == "Interrupted."
    assert not list((here / "out").iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--preset", "preset.yaml", "--model", "model"), "exclude each other"),
        (("--preset", "preset.yaml", "--server", "here:1"), "can't be given with"),
        (("--preset", "nowhere"), "neither a file nor a preset"),
        (("--preset", "preset.yaml", "--refine", "0"), "at least one step"),
        (("--refine", "2", "--model", "nowhere"), "no such model folder"),
    ],
)
def test_what_cannot_be_meant_is_refused(here, capsys, arguments, message):
    assert ended(*REGISTER, *arguments) in (1, 2)
    assert message in capsys.readouterr().err
    assert not list((here / "out").iterdir())
