"""`dlir-tf export` as a user meets it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dlir_tf.cli import main

CONFIG = {
    "ndim": 2,
    "spacing": [1.5, 2.0],
    "stages": [
        {
            "transform": "bspline",
            "downsample": 1,
            "control_point_spacing": [4, 2],
            "filters": [3],
            "lattice_filters": 3,
        }
    ],
}

PROGRAM = """
import sys
from dlir_tf.cli import main
try:
    main(["export", *sys.argv[1:]])
finally:
    assert "tensorflow" not in sys.modules
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a trained-looking model in `model`."""
    from dlir_tf.config import Config
    from dlir_tf.model import build_model
    from dlir_tf.model_folder import make_model, save_model

    config = Config.model_validate(CONFIG)
    network = build_model(config)
    rng = np.random.default_rng(5)
    for weight in network.weights:
        weight.assign(weight.numpy() + rng.normal(0, 0.3, weight.shape))
    folder = tmp_path_factory.mktemp("export")
    save_model(folder / "model", make_model(config, network, {"seed": 5}))
    return folder


@pytest.fixture
def here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(folder)
    return folder


def exit_code(*arguments: str) -> int | str | None:
    with pytest.raises(SystemExit) as caught:
        main(["export", *arguments])
    return caught.value.code


def test_defaults_fit_together(here: Path, capfd: pytest.CaptureFixture[str]) -> None:
    main(["export", "--format", "savedmodel"])
    assert (here / "export" / "dlir" / "1" / "saved_model.pb").is_file()
    printed = capfd.readouterr().out
    assert printed.splitlines()[0] == str(Path("export/dlir/1"))
    for figure in (
        r"ddf \S+ voxels, \S+ mm; moved \S+ of its range; affine \S+ mm",
        r"2×4×6, 1×20×2",
        r"size: 0\.\d+ MB",
        r"latency: \d+\.\d ms",
    ):
        assert re.search(figure, printed), figure

    assert exit_code("--format", "savedmodel") == 1
    assert "the next free one is --version 2" in capfd.readouterr().err


def test_parity_failure_is_an_error(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from dlir_tf.export import ExportError, savedmodel

    def differ(*_: object) -> None:
        raise ExportError("the exported model doesn't give what the model gives")

    monkeypatch.setattr(savedmodel, "check_parity", differ)
    assert exit_code("--format", "savedmodel", "--name", "other") == 1
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "Error: model: the exported model doesn't give" in captured.err
    assert not (here / "export" / "other").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "Missing option '--format'"),
        (["--format", "onnx"], 2, "'savedmodel'"),
        (["--format", "savedmodel", "--version", "0"], 2, "--version"),
        (["--format", "savedmodel", "--model", "none"], 1, "no such model folder"),
        (["--format", "savedmodel", "--name", "a/b"], 1, "--name: must be"),
        (["--format", "savedmodel", "--output", "file"], 1, "file: is a file"),
    ],
)
def test_wrong_options_are_found_before_tensorflow_is_imported(
    here: Path, arguments: list[str], code: int, message: str
) -> None:
    (here / "file").touch()
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


def test_help_explains_every_option(capfd: pytest.CaptureFixture[str]) -> None:
    from dlir_tf.cli.export import command

    main(["export", "--help"])
    text = capfd.readouterr().out
    assert "Export a model for serving outside Python." in text
    assert "dlir-tf export --model model --output export --format savedmodel" in text
    assert all(getattr(parameter, "help", None) for parameter in command.params)
