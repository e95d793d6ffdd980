"""`dlir-tf info` as a user meets it."""

import json
import subprocess
import sys

import pytest
import yaml

from dlir_tf.cli import main
from dlir_tf.config import (
    dump_config,
    load_config,
    parse_config,
    preset_names,
    preset_text,
)


@pytest.fixture
def folder(tmp_path):
    """A model folder, as far as `info` looks into it."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.yaml").write_text(dump_config(load_config("demo")))
    (folder / "model.weights.h5").touch()
    provenance = {
        "format_version": 1,
        "seed": 17,
        "dlir_tf": "0.1.0",
        "weights_sha256": 64 * "0",
    }
    (folder / "provenance.json").write_text(json.dumps(provenance))
    return folder


def _error(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(["info", *arguments])
    printed = capsys.readouterr()
    assert caught.value.code == 1
    assert printed.out == ""
    assert printed.err.startswith("Error: ")
    assert printed.err.count("\n") == 1
    return printed.err


def test_presets_are_listed_with_what_they_are_for(capsys):
    main(["info"])
    printed = capsys.readouterr().out.splitlines()
    lines = printed[printed.index("Presets, for --config and --preset:") + 1 :]
    assert [line.split()[0] for line in lines] == preset_names()
    for name, line in zip(preset_names(), lines, strict=True):
        assert line.endswith(load_config(name).description)
        assert load_config(name).description
    # In a column, however long the names are.
    assert (
        len({line.index(load_config(line.split()[0]).description) for line in lines})
        == 1
    )


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_is_printed_as_it_is_and_can_be_used(capsys, name):
    main(["info", "--preset", name])
    printed = capsys.readouterr().out
    assert printed == preset_text(name)
    assert parse_config(printed, "printed") == load_config(name)


def test_a_model_is_described_without_tensorflow(folder):
    code = (
        "import sys; from dlir_tf.cli import main; "
        "main(['info', '--model', sys.argv[1]]); "
        "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(folder)],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert parse_config(done.stdout, "printed") == load_config("demo")
    comments = [line[2:] for line in done.stdout.splitlines() if line[:2] == "# "]
    described = yaml.safe_load("\n".join(comments))
    assert described["provenance"]["seed"] == 17


def test_errors_are_one_sentence(capsys, folder, tmp_path):
    both = _error(capsys, "--model", str(folder), "--preset", "demo")
    assert "exclude each other" in both
    assert "demo" in _error(capsys, "--preset", "dmeo")
    missing = _error(capsys, "--model", str(tmp_path / "none"))
    assert "no such model folder" in missing
    (folder / "model.weights.h5").unlink()
    assert "it lacks model.weights.h5" in _error(capsys, "--model", str(folder))


def test_whether_it_can_be_exported_is_said_before_training(capsys, tmp_path):
    config = tmp_path / "config.yaml"
    config.write_text(
        "ndim: 2\nspacing: [1.5, 2.0]\nstages:\n- {transform: bspline, downsample: 1,\n"
        "   control_point_spacing: [4, 2], filters: [3], lattice_filters: 3}\n"
    )
    main(["info", "--config", str(config), "--exportable"])
    printed = capsys.readouterr().out
    assert "can be exported as TFLite with built-in operations only" in printed
    assert "multiples of 4,2" in printed
    main(["info", "--config", str(config)])
    assert parse_config(capsys.readouterr().out, "printed").ndim == 2
    assert "say of what" in _error(capsys, "--exportable")


def test_what_can_not_be_exported_is_an_error(capsys, monkeypatch):
    from dlir_tf.export.tflite import convert

    def refuse(config):
        raise convert.NotBuiltInError("it needs Digamma (stage 2, bspline)")

    monkeypatch.setattr(convert, "check_convertible", refuse)
    message = _error(capsys, "--preset", "demo", "--exportable")
    assert message.startswith("Error: demo: can't be exported as TFLite: it needs Diga")


@pytest.mark.slow
@pytest.mark.parametrize("name", preset_names())
def test_every_preset_can_be_exported(capsys, name):
    main(["info", "--preset", name, "--exportable"])
    assert f"{name}: can be exported" in capsys.readouterr().out
