"""`dlir-tf export --format tflite`, and registering by what it wrote."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from random_models import spline, write_random_model

from dlir_tf.cli import main
from dlir_tf.config import Config, dump_config
from dlir_tf.images import read_image, write_image
from dlir_tf.phantoms import beating_heart

CONFIG = Config.model_validate(
    {
        "ndim": 3,
        "spacing": [3.0, 3.0, None],
        "axes": "slices_last",
        "stages": [spline([8, 8, 1], [2, 2, 1])],
    }
)
NUMBERS = "32,40,4"

# As on a machine without TensorFlow and Keras.
WITHOUT_TENSORFLOW = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name in ("tensorflow", "keras"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Missing())
from dlir_tf.cli import main
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model, images and labels that fill its grid, and an exported file."""
    folder = tmp_path_factory.mktemp("tflite")
    rng = np.random.default_rng(5)
    write_random_model(folder / "model", CONFIG, rng, 0.2, provenance={"seed": 5})
    heart = beating_heart(3, shape=(64, 80, 4), spacing=(1.5, 1.5, 8.0), ndim=3)
    for name in ("fixed", "moving", "moving_labels"):
        write_image(folder / f"{name}.nii.gz", getattr(heart, name))
    options = ["--format", "tflite", "--shape", NUMBERS]
    files = ["--model", str(folder / "model"), "--output", f"{folder}/exported.tflite"]
    main(["export", *options, *files])
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


def refused(capsys, *arguments):
    before = sorted(Path().rglob("*"))
    with pytest.raises(SystemExit) as caught:
        main([*arguments])
    assert caught.value.code not in (0, None)
    assert sorted(Path().rglob("*")) == before
    return capsys.readouterr().err.strip().splitlines()[-1]


def test_says_how_exact_small_and_fast_it_is(here, capsys):
    options = ["--model", "model", "--format", "tflite", "--shape", NUMBERS]
    main(["export", *options, "--precision", "int8", "--output", "small.tflite"])
    printed = capsys.readouterr().out
    for word in ("small.tflite", "ddf", "mm", "moved", "size:", "latency", "memory"):
        assert word in printed
    main(["info", "--model", "small.tflite"])
    described = capsys.readouterr().out
    assert dump_config(CONFIG) in described
    assert "# precision: int8" in described
    assert "seed: 5\n" in described


def test_registers_without_tensorflow_as_the_model_does(here):
    pair = ["register", "fixed.nii.gz", "moving.nii.gz", "--all-stages"]
    labels = ["--labels", "moving_labels.nii.gz"]

    def outputs(name):
        return [
            *("--output", f"{name}.nii.gz", "--displacement", f"{name}_ddf.nii.gz"),
            *("--moved-labels", f"{name}_labels.nii.gz"),
        ]

    main([*pair, *labels, "--model", "model", *outputs("by_model")])
    options = [*pair, *labels, "--model", "exported.tflite", *outputs("by_file")]
    run = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW, *options],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert run.returncode == 0, run.stderr
    said = run.stderr.splitlines()  # not a word of LiteRT's
    assert all(line.startswith(("PASS", "WARN:", "FAIL:")) for line in said)
    ddf, expected = (
        nib.load(f"{name}_ddf.nii.gz").get_fdata() for name in ("by_file", "by_model")
    )
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(ddf, expected, atol=1e-3)
    moved, reference = (read_image(f"{n}.nii.gz") for n in ("by_file", "by_model"))
    np.testing.assert_allclose(moved.affine, reference.affine)
    np.testing.assert_allclose(
        moved.array, reference.array, atol=1e-3 * np.ptp(reference.array)
    )
    moved_labels, expected_labels = (
        nib.load(f"{n}_labels.nii.gz").get_fdata() for n in ("by_file", "by_model")
    )
    assert (moved_labels != expected_labels).mean() < 1e-3


def test_refines_what_a_file_found(here, capsys):
    pair = ["register", "fixed.nii.gz", "moving.nii.gz", "--refine", "2"]
    main([*pair, "--model", "exported.tflite", "--output", "refined.nii.gz"])
    assert "refined.nii.gz" in capsys.readouterr().out


def test_evaluates_a_file_as_the_model_it_came_from(here, capsys):
    labels = read_image("moving_labels.nii.gz")
    write_image(Path("fixed_labels.nii.gz"), labels)
    Path("pairs.csv").write_text(
        "fixed,moving,fixed_labels,moving_labels\nfixed.nii.gz,moving.nii.gz,"
        "fixed_labels.nii.gz,moving_labels.nii.gz\n"
    )
    dice = []
    for model in ("model", "exported.tflite"):
        main(
            ["evaluate", "--pairs", "pairs.csv", "--model", model, "--output", "e.csv"]
        )
        with open("e.csv", newline="", encoding="utf-8") as rows:
            (row,) = csv.DictReader(rows)
        dice.append({k: float(v) for k, v in row.items() if "dice" in k.lower()})
    assert len(dice[0]) >= 4
    assert dice[1] == pytest.approx(dice[0], abs=2e-3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--shape: --format tflite needs the shape of the working grid"),
        (["--shape", "32,40,x"], "whole numbers with commas"),
        (["--shape", "32,41,4"], "the next larger shape is 32,48,4"),
        (["--shape", NUMBERS, "--output", "exported.tflite"], "is there already"),
        (["--shape", NUMBERS, "--output", "folder"], "ends in .tflite"),
        (["--shape", NUMBERS, "--name", "n"], "--name: only for --format savedmodel"),
        (["--shape", NUMBERS, "--xla"], "--xla: only for --format savedmodel"),
        (["--shape", NUMBERS, "--model", "none"], "no such model folder"),
    ],
)
def test_bad_options_are_refused(here, capsys, options, message):
    export = ["export", "--format", "tflite", *options]
    assert message in refused(capsys, *export)


def test_options_of_a_file_are_none_of_a_savedmodel(here, capsys):
    export = ["export", "--format", "savedmodel"]
    message = refused(capsys, *export, "--shape", NUMBERS)
    assert "--shape: only for --format tflite" in message


def test_bad_files_are_refused(here, capsys):
    register = ["register", "fixed.nii.gz", "moving.nii.gz", "--output", "bad.nii.gz"]
    message = refused(capsys, *register, "--model", "none.tflite")
    assert "none.tflite: no such model file" in message
    Path("cut.tflite").write_bytes(Path("exported.tflite").read_bytes()[:-9])
    message = refused(capsys, *register, "--model", "cut.tflite")
    assert "cut.tflite: isn't a whole model file" in message


def test_images_that_are_too_large_name_the_shape_to_export(here, capsys):
    heart = beating_heart(3, shape=(64, 80, 6), spacing=(1.5, 1.5, 8.0), ndim=3)
    write_image(Path("large.nii.gz"), heart.fixed)
    register = ["register", "large.nii.gz", "moving.nii.gz", "--output", "bad.nii.gz"]
    message = refused(capsys, *register, "--model", "exported.tflite")
    assert message.count("export it with --shape 32,40,6") == 1
