"""`dlir-tf export` as a user meets it."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from random_models import spline, write_random_model

from dlir_tf.cli import main
from dlir_tf.cli.export import command as export

CONFIG = {"ndim": 2, "spacing": [1.5, 2.0], "stages": [spline([4, 2])]}

PROGRAM = """
import sys
from dlir_tf.cli import main
try:
    main(["export", *sys.argv[1:]])
finally:
    assert "tensorflow" not in sys.modules
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a trained-looking model in `model`."""
    folder = tmp_path_factory.mktemp("export")
    rng = np.random.default_rng(5)
    write_random_model(folder / "model", CONFIG, rng, 0.3, provenance={"seed": 5})
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


def exit_code(*arguments):
    with pytest.raises(SystemExit) as caught:
        main(["export", *arguments])
    return caught.value.code


@pytest.fixture
def unchecked(monkeypatch):
    """Exports quickly: nothing runs. Gives what the options were each time.

    The commands of the documentation are tested with all that belongs to them.
    """
    from dlir_tf.export import savedmodel
    from dlir_tf.export.parity import Parity, Timing

    chosen = []

    def write(folder, _, **options):
        chosen.append(options)
        (folder / "saved_model.pb").write_bytes(bytes(2_000_000))

    timing = Timing((2, 41, 44), (2, 37, 52), first_seconds=2.5, seconds=0.058)
    parity = Parity(3e-5, 2e-6, 1e-7, 4e-5, 0.0, 0.0, (timing,), peak_mb=900.0)
    monkeypatch.setattr(savedmodel, "write_savedmodel", write)
    monkeypatch.setattr(savedmodel, "_write_warm_up", lambda *_: None)
    monkeypatch.setattr(savedmodel, "check_parity", lambda *_: parity)
    return chosen


def test_defaults_fit_together(here, unchecked, capfd):
    main(["export", "--format", "savedmodel"])
    assert (here / "export" / "dlir" / "1" / "model_card.md").is_file()
    lines = capfd.readouterr().out.splitlines()
    assert lines[0] == str(Path("export/dlir/1"))
    assert "displacement 3e-05 mm; moved 2e-06 of its range; affine 1e-07" in lines[1]
    assert re.fullmatch(r"size: 2\.\d+ MB", lines[2])
    assert lines[3] == "peak memory: 900 MB, TensorFlow included"
    assert lines[4] == (
        "latency: 58 ms on the CPU, the first call 2.5 s, for 2×41×44 and 2×37×52 "
        "(batch×size)"
    )
    assert exit_code("--format", "savedmodel") == 1
    assert "the next free one is --version 2" in capfd.readouterr().err

    options = ["--version", "2", "--xla", "--max-voxels", "1000000"]
    main(["export", "--format", "savedmodel", *options])
    assert unchecked == [
        {"xla": False, "max_voxels": 2**27},
        {"xla": True, "max_voxels": 10**6},
    ]
    described = here / "export" / "dlir" / "2" / "signature.json"
    assert json.loads(described.read_text())["max_voxels"] == 10**6
    help_text = next(o for o in export.params if o.name == "max_voxels").help
    assert str(2**27) in help_text


def test_a_search_for_the_shift_cannot_be_exported_as_a_graph(tmp_path, capfd):
    rng = np.random.default_rng(5)
    config = CONFIG | {"initial_alignment": "search"}
    write_random_model(tmp_path / "model", config, rng, 0.3, provenance={"seed": 5})
    options = ["--model", str(tmp_path / "model"), "--output", str(tmp_path / "out")]
    assert exit_code("--format", "savedmodel", *options) == 1
    (told,) = capfd.readouterr().err.splitlines()
    assert "model: initial_alignment: search can't be done in a SavedModel" in told
    assert not (tmp_path / "out").exists()


def test_a_tflite_file_has_one_shape_and_needs_no_limit(here, capfd):
    assert exit_code("--format", "tflite", "--max-voxels", "9") == 1
    assert (
        "--max-voxels: only for --format savedmodel; a .tflite file takes"
        in capfd.readouterr().err
    )


def test_parity_failure_is_an_error(
    here,
    unchecked,
    monkeypatch,
    capfd,
):
    from dlir_tf.errors import ExportError
    from dlir_tf.export import savedmodel

    def differ(*_):
        raise ExportError("the exported model doesn't give what the model gives")

    monkeypatch.setattr(savedmodel, "check_parity", differ)
    assert exit_code("--format", "savedmodel", "--name", "other") == 1
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "Error: model: the exported model doesn't give" in captured.err
    assert not (here / "export" / "other").exists()


def test_disk_that_fills_up_is_one_sentence(
    here,
    unchecked,
    monkeypatch,
    capfd,
):
    from dlir_tf.export import savedmodel

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device", "export/other")

    monkeypatch.setattr(savedmodel, "write_card", full)
    assert exit_code("--format", "savedmodel", "--name", "other") == 1
    assert capfd.readouterr().err == (
        "Error: export/other: can't be written (No space left on device): the disk is "
        "full; make room and try again, the files that are there are whole\n"
    )
    assert not (here / "export" / "other").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "Missing option '--format'. Choose savedmodel or tflite."),
        (["--format", "onnx"], 2, "'savedmodel'"),
        (["--format", "savedmodel", "--version", "0"], 2, "--version"),
        (["--format", "savedmodel", "--model", "none"], 1, "no such model folder"),
        (["--format", "savedmodel", "--name", "a/b"], 1, "--name: must be"),
        (["--format", "savedmodel", "--output", "file"], 1, "file: is a file"),
        (
            ["--format", "savedmodel", "--output", "model"],
            1,
            "model: is a model itself",
        ),
        (["--format", "savedmodel", "--model", "bare"], 1, "lacks model.weights.h5"),
    ],
)
def test_wrong_options_are_found_before_tensorflow_is_imported(
    here, arguments, code, message
):
    (here / "file").touch()
    (here / "bare").mkdir(exist_ok=True)
    for name in ("config.yaml", "provenance.json"):
        shutil.copy(here / "model" / name, here / "bare" / name)
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        capture_output=True,
        text=True,
    )
    assert run.returncode == code, run.stderr
    assert message in run.stderr
    assert len(run.stderr.strip().splitlines()) <= 5


def test_help_explains_every_option(capfd):
    from dlir_tf.cli.export import command

    main(["export", "--help"])
    text = capfd.readouterr().out
    assert "Export a model for serving outside Python." in text
    assert "dlir-tf export --model model --output export --format savedmodel" in text
    assert all(getattr(parameter, "help", None) for parameter in command.params)
