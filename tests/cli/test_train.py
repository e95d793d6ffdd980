"""`dlir-tf train` as it is typed."""

import errno
import shutil
import warnings

import numpy as np
import pytest
from scipy import ndimage

from dlir_tf import training
from dlir_tf.cli.main import main
from dlir_tf.images import Image, write_image

CONFIG = """
ndim: 2
spacing: null
stages:
- {transform: bspline, downsample: 1, control_point_spacing: 8, filters: [4]}
training: {steps: 2, validate_every: 1}
"""


@pytest.fixture
def folder(tmp_path, rng, monkeypatch):
    """Two images, their manifest and a config; it is the working directory."""
    for name in ("a", "b"):
        noise = ndimage.gaussian_filter(rng.normal(size=(24, 16)), 2.0)
        image = Image(noise.astype(np.float32), np.diag([1.5, 2.0, 1.0]))
        write_image(tmp_path / f"{name}.nii.gz", image)
    (tmp_path / "pairs.csv").write_text("image\na.nii.gz\nb.nii.gz\n")
    (tmp_path / "config.yaml").write_text(CONFIG.replace("null", "[null, null]"))
    monkeypatch.chdir(tmp_path)
    # The command shows warnings in its own way from then on.
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    return tmp_path


@pytest.fixture
def run(folder, capsys):
    """Returns a function: arguments -> exit code, stdout, stderr."""

    def run(arguments="--config config.yaml --pairs pairs.csv"):
        code = 0
        try:
            main(["train", *arguments.split()])
        except SystemExit as stop:
            code = stop.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err.strip()

    return run


@pytest.fixture
def fake_train(monkeypatch):
    """Puts a function in the place of the training; returns what it was given."""
    given = {}

    def replace(error=None):
        def train(config, pairs, output, **options):
            given.update(config=config, pairs=pairs, output=output, **options)
            if error is not None:
                raise error

        monkeypatch.setattr(training, "train", train)
        return given

    return replace


def test_a_model_folder_comes_out(run, folder):
    arguments = "--config config.yaml --pairs pairs.csv --validation pairs.csv"
    code, out, err = run(f"{arguments} --steps 1 --output deep/model")
    assert (code, out) == (0, "deep/model\n")
    assert "stage_1_bspline, step 1: loss" in err
    assert "validation loss" in err
    assert (folder / "deep" / "model" / "model.weights.h5").is_file()
    code, out, err = run(f"{arguments} --output deep/model")
    assert (code, out) == (1, "")
    assert err == ("Error: deep/model: is in use already; choose another --output")
    code, _, err = run(f"{arguments} --output deep/model --resume")
    assert code == 1
    assert "its training is finished" in err


def test_options_reach_the_training(run, fake_train, folder):
    given = fake_train()
    code, _, _ = run(
        "--config config.yaml --pairs pairs.csv --output m --seed 7 --steps 3 "
        "--mixed-precision --resume"
    )
    assert code == 0
    assert len(given["pairs"]) == 2
    assert given["validation"] == []
    assert str(given["output"]) == "m"
    assert (given["seed"], given["steps"], given["resume"]) == (7, 3, True)
    assert given["config"].training.mixed_precision
    fake_train()
    run()
    assert (given["seed"], given["steps"], given["resume"]) == (0, None, False)
    assert not given["config"].training.mixed_precision


def test_a_config_with_a_synthesis_needs_no_pairs(run, fake_train, folder):
    given = fake_train()
    (folder / "atlases").mkdir()
    labels = np.zeros((6, 6, 6), np.int16)
    labels[2:4] = 1
    write_image(folder / "atlases" / "slab.nii.gz", Image(labels, np.eye(4)))
    code, _, err = run("--config general --atlases atlases")
    assert (code, err) == (0, "")
    assert given["pairs"] == []
    assert [atlas.ndim for atlas in given["atlases"]] == [3]
    assert given["initial"] is None
    code, _, err = run("--config general --pairs pairs.csv --atlases atlases")
    assert code == 1
    assert err.startswith("Error: --atlases is for pairs that are made")
    code, _, err = run("--config general --initial-weights none")
    assert code == 1
    assert err.startswith("Error: none: no such model folder")


def test_without_pairs_phantoms_are_made_once(run, fake_train, folder, monkeypatch):
    given, calls = fake_train(), []

    def write_phantoms(target, *, num_train, num_test, seed):
        calls.append((num_train > num_test > 0, seed))
        for name in ("a.nii.gz", "b.nii.gz"):
            shutil.copy(folder / name, target / name)
        text = "fixed,moving\na.nii.gz,b.nii.gz\n"
        (target / "train.csv").write_text(text)
        (target / "test.csv").write_text(text * 2)
        return target / "train.csv", target / "test.csv"

    monkeypatch.setattr("dlir_tf.cli.work.train.write_phantoms", write_phantoms)
    (folder / "x").mkdir()
    code, _, err = run("--output x/model --seed 3")
    assert code == 1
    assert "moving" in err
    (folder / "x" / "model-phantoms-seed3" / "test.csv").write_text(
        "fixed,moving\na.nii.gz,b.nii.gz\n"
    )
    code, _, err = run("--output x/model --seed 3")
    assert code == 0
    assert err == (
        "No --pairs given: training on generated phantoms of beating hearts, found in "
        "x/model-phantoms-seed3."
    )
    assert calls == [(True, 3)]
    assert given["pairs"][0].fixed.parent.name == "model-phantoms-seed3"
    assert len(given["validation"]) == 1
    assert given["config"].ndim == 3
    _, _, err = run("--output x/model")
    assert err.startswith("No --pairs given")
    assert "written to x/model-phantoms-seed0." in err
    assert calls == [(True, 3), (True, 0)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--pairs pairs.csv", "--pairs needs --config"),
        ("--validation pairs.csv", "--validation needs --pairs"),
        ("--config nothing --pairs pairs.csv", "neither a file nor a preset"),
        ("--config config.yaml --pairs none.csv", "none.csv: can't be read"),
        ("--config config.yaml --pairs wrong.csv", "the column 'moving' is missing"),
        ("--config config.yaml --pairs empty.csv", "empty.csv: has no pairs"),
        ("--config config.yaml --pairs gone.csv", "gone.csv, line 3: no such file"),
        ("--config odd.yaml --pairs pairs.csv", "odd.yaml, colour: unknown key"),
        ("--config config.yaml --pairs pairs.csv --output a.nii.gz", "is a file"),
        ("--config config.yaml --pairs pairs.csv --output full", "is in use already"),
        ("--config config.yaml --pairs pairs.csv --resume", "no interrupted training"),
        ("--output full", "is in use already"),
        ("--output a.nii.gz", "is a file"),
        ("--resume", "no interrupted training"),
        ("--config config.yaml --pairs flat.csv", "flat.csv, line 2: flat.nii: every"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_one(run, folder, arguments, expected):
    (folder / "wrong.csv").write_text("fixed\na.nii.gz\n")
    (folder / "empty.csv").write_text("fixed,moving\n")
    (folder / "gone.csv").write_text("fixed,moving\na.nii.gz,b.nii.gz\na,b.nii.gz\n")
    (folder / "odd.yaml").write_text(CONFIG + "colour: red\n")
    (folder / "full").mkdir()
    (folder / "full" / "notes.txt").write_text("mine")
    write_image("flat.nii", Image(np.ones((8, 9), np.float32), np.eye(3)))
    (folder / "flat.csv").write_text("fixed,moving\nflat.nii,a.nii.gz\n")
    before = sorted(folder.rglob("*"))
    code, out, err = run(arguments)
    assert (code, out) == (1, "")
    assert err.startswith("Error: ")
    assert expected in err
    assert "Traceback" not in err
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("option", ["--steps 0", "--seed -1", "--seed 4294967296"])
def test_numbers_out_of_range(run, option):
    code, _, err = run(f"--config config.yaml --pairs pairs.csv {option}")
    assert code == 2
    assert option.split()[0] in err


def test_ctrl_c_says_how_to_go_on(run, fake_train, folder):
    fake_train(KeyboardInterrupt())
    code, out, err = run()
    assert (code, out, err) == (130, "", "Interrupted.")
    (folder / "model").mkdir()
    (folder / "model" / "checkpoint.npz").write_text("")
    code, _, err = run()
    assert code == 130
    assert "with --resume goes on" in err


def test_a_full_disk_is_said_to_be_full(run, fake_train):
    error = OSError(errno.ENOSPC, "No space left on device", "model/checkpoint.npz")
    fake_train(error)
    code, _, err = run()
    assert code == 1
    assert err.startswith("Error: model/checkpoint.npz: can't be written (No space")
