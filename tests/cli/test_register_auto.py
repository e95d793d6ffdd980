"""Two file names and nothing else: what is chosen is said, and can be gone on from."""

import csv
import json

import numpy as np
import pytest

from dlir_tf.cli import main
from dlir_tf.config import parse_config
from dlir_tf.images import Image, read_image, write_image
from dlir_tf.phantoms import beating_heart

REGISTER = ("register", "fixed.nii", "moving.nii", "--output", "out/moved.nii")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A heart; a folder called model that is no model."""
    monkeypatch.chdir(tmp_path)
    for name in ("out", "model"):
        (tmp_path / name).mkdir()
    heart = beating_heart(5, shape=(48, 40, 6), spacing=(3.0, 3.0, 9.0))
    write_image("fixed.nii", heart.fixed)
    far = heart.moving.affine + 400.0 * np.eye(4, k=3)
    write_image("moving.nii", Image(heart.moving.array, far))
    return tmp_path


def ended(*arguments):
    """Runs a command; returns its exit code."""
    try:
        main(list(arguments))
    except SystemExit as stop:
        return stop.code or 0
    return 0


def test_two_names_are_enough(here, capsys):
    assert ended(*REGISTER, "--report", "out/report.json") == 0
    printed = capsys.readouterr()
    assert printed.out == "out/moved.nii\n"
    report = json.loads((here / "out/report.json").read_text())
    said = [line for line in printed.err.splitlines() if line.startswith("Chosen by")]
    assert [line.partition(": ")[2] for line in said] == report["choices"]
    assert len(said) >= 5
    assert any("takes about" in line for line in said)
    assert report["initial_shift"][0] == pytest.approx(400, abs=6)
    fixed, moved = read_image("fixed.nii").array, read_image("out/moved.nii").array
    assert np.corrcoef(fixed.ravel(), moved.ravel())[0, 1] > 0.9


def test_what_is_chosen_can_be_printed_and_taken_as_a_preset(here, capsys):
    assert ended("info", "--pair", "fixed.nii", "moving.nii") == 0
    text = capsys.readouterr().out
    assert text.startswith("# Chosen for fixed.nii and moving.nii:\n# - ")
    config = parse_config(text, "printed")
    assert config.axes == "slices_last"
    (here / "chosen.yaml").write_text(text)
    assert ended(*REGISTER, "--preset", "chosen.yaml", "--refine", "12") == 0
    assert ended("info", "--pair", "fixed.nii", "none.nii") == 1
    assert "no such file: none.nii" in capsys.readouterr().err


def test_pairs_are_evaluated_without_a_model(here, capsys):
    """One of them is of another rank than its fixed image, which stops no other."""
    write_image("flat.nii", Image(np.eye(40) + 0.1 * np.arange(40.0), np.eye(3)))
    rows = ("fixed,moving", "fixed.nii,moving.nii", "fixed.nii,flat.nii")
    (here / "pairs.csv").write_text("\n".join(rows))
    assert ended("evaluate", "--pairs", "pairs.csv", "--output", "out/e.csv") == 1
    error = capsys.readouterr().err
    assert "settings are chosen for every pair" in error
    assert "give two images of one rank" in error
    with open("out/e.csv", newline="") as stream:
        good, bad = csv.DictReader(stream)
    assert float(good["ncc_after"]) > 0.9
    assert bad["verdict"] == "ERROR"


@pytest.mark.parametrize(
    ("moving", "message"),
    [
        ("flat", "give two images of one rank"),
        ("one_slice", "a single slice and the other isn't"),
        ("frames", "extract the one volume that is meant"),
        ("colours", "extract the one volume that is meant"),
    ],
)
def test_what_cannot_be_a_pair_is_one_sentence(here, capsys, moving, message):
    import nibabel as nib

    rng = np.random.default_rng(0)
    arrays = {
        "flat": rng.uniform(size=(30, 30)).astype(np.float32),
        "one_slice": rng.uniform(size=(30, 30, 1)).astype(np.float32),
        "frames": rng.uniform(size=(30, 30, 6, 3)).astype(np.float32),
        "colours": np.zeros((30, 30, 6, 2), np.dtype([(c, "u1") for c in "RGB"])),
    }
    nib.save(nib.Nifti1Image(arrays[moving], np.eye(4)), "bad.nii")
    assert ended("register", "fixed.nii", "bad.nii", "--output", "out/moved.nii") == 1
    lines = capsys.readouterr().err.splitlines()
    errors = [line for line in lines if not line.startswith("Warning")]
    assert len(errors) == 1
    assert message in errors[0]
    assert not list((here / "out").iterdir())


def test_noise_has_a_verdict_or_a_sentence(here, capsys):
    """Another body, and nothing in common."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(40, 36, 8)).astype(np.float32)
    write_image("noise.nii", Image(noise, np.diag([2.0, 2.0, 5.0, 1.0])))
    code = ended("register", "fixed.nii", "noise.nii", "--output", "out/moved.nii")
    error = capsys.readouterr().err
    assert code == 1 or "WARN: " in error or "FAIL: " in error
    assert "Traceback" not in error
