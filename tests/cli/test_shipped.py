"""Models that ship, as a user of the command line asks for them."""

import csv
import shutil

import numpy as np
import pytest
import yaml
from register_desk import SHAPE, save, scanner_affine
from shipped_models import CONFIGS, DATA, put_in_place, write_shipped

from dlir_tf.cli import main
from dlir_tf.config import Config, parse_config
from dlir_tf.images import read_image
from dlir_tf.models.names import SHIPPED, shipped_names


@pytest.fixture(scope="session")
def every(tmp_path_factory):
    return write_shipped(tmp_path_factory.mktemp("shipped"))


@pytest.fixture
def here(every, monkeypatch, tmp_path):
    """A folder with a pair and no model, where models ship."""
    put_in_place(monkeypatch, every)
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(3)
    for name in ("fixed", "moving"):
        array = rng.uniform(0, 900, SHAPE).astype(np.float32)
        save(tmp_path / f"{name}.nii.gz", array, scanner_affine())
    (tmp_path / "pairs.csv").write_text("fixed,moving\nfixed.nii.gz,moving.nii.gz\n")
    return tmp_path


def error(capsys, *arguments):
    with pytest.raises(SystemExit) as caught:
        main(list(arguments))
    assert caught.value.code == 1
    return capsys.readouterr().err


def test_info_lists_what_ships_with_size_data_and_licence(here, every, capsys):
    main(["info"])
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "Models that ship, for --model:"
    lines = {line.split()[0]: line for line in printed[1 : printed.index("")]}
    assert list(lines) == [*sorted(CONFIGS), "general"]
    for name in CONFIGS:
        files = (every / name).iterdir()
        size = f"{sum(len(file.read_bytes()) for file in files) / 1e6:.1f} MB"
        for part in (size, f"{CONFIGS[name]['ndim']}-d", DATA, "Apache"):
            assert part in lines[name]
    assert "general-2d or general-3d, by the rank of the images" in lines["general"]


def test_info_without_models_lists_presets_alone(monkeypatch, tmp_path, capsys):
    put_in_place(monkeypatch, tmp_path)
    main(["info"])
    assert capsys.readouterr().out.startswith("Presets, for")


@pytest.mark.parametrize("arguments", [["cardiac-cine"], ["--model", "cardiac-cine"]])
def test_info_tells_all_of_a_model_that_ships(here, every, capsys, arguments):
    main(["info", *arguments])
    printed = capsys.readouterr().out
    expected = Config.model_validate(CONFIGS["cardiac-cine"])
    assert parse_config(printed, "printed") == expected
    lines = [line[2:] for line in printed.splitlines() if line.startswith("#")]
    assert lines[-1] == "Thanks for cardiac-cine."
    told = yaml.safe_load("\n".join(lines[:-1]))
    assert told["model"].startswith("cardiac-cine, 3-d")
    assert told["files"] == str(every / "cardiac-cine")
    assert told["provenance"]["training_data"] == DATA
    assert told["provenance"]["licence"] == "Apache-2.0"


def test_info_takes_one_model(here, capsys):
    both = error(capsys, "info", "general", "--model", "cardiac-cine")
    assert both.startswith("Error: general and --model are both a model")
    both = error(capsys, "info", "general", "--preset", "demo")
    assert "exclude each other" in both
    message = error(capsys, "info", "genral")
    assert "ship: cardiac-cine, general, general-2d, general-3d" in message


@pytest.mark.parametrize("name", ["general", "cardiac-cine"])
def test_a_pair_is_registered_by_name_as_by_folder(here, every, name):
    folder = every / name.replace("general", "general-3d")
    for model, moved in ((name, "by_name.nii.gz"), (folder, "by_folder.nii.gz")):
        arguments = ["fixed.nii.gz", "moving.nii.gz", "--output", moved]
        main(["register", *arguments, "--model", str(model), "--all-stages"])
    found, expected = map(read_image, ("by_name.nii.gz", "by_folder.nii.gz"))
    np.testing.assert_array_equal(found.array, expected.array)
    assert np.abs(found.array - read_image("moving.nii.gz").array).max() > 10


def test_pairs_are_evaluated_by_name_as_by_folder(here, every):
    rows = []
    for model in ("general", every / "general-3d"):
        main(["evaluate", "--pairs", "pairs.csv", "--model", str(model)])
        (row,) = csv.DictReader((here / "evaluation.csv").open())
        rows.append({k: v for k, v in row.items() if "seconds" not in k})
    assert rows[0] == rows[1]


def test_it_is_said_that_a_folder_has_the_name_of_a_model(here, every, capsys):
    shutil.copytree(every / "general-2d", here / "cardiac-cine")
    main(["info", "--model", "cardiac-cine"])
    printed = capsys.readouterr()
    assert parse_config(printed.out, "printed").ndim == 3
    assert printed.err.count("\n") == 1
    assert "the folder of this name that is here is meant by ./cardiac" in printed.err
    main(["info", "--model", "./cardiac-cine"])
    printed = capsys.readouterr()
    assert parse_config(printed.out, "printed").ndim == 2
    assert printed.err == ""


def test_an_export_says_which_general_model_it_is_of(here, capsys, monkeypatch):
    """The two make the same export; that it is right is shown where exports are."""
    from dlir_tf.export import savedmodel
    from dlir_tf.export.tflite import file

    exported = []

    def remember(model, *_, **__):
        exported.append(model.config.ndim)
        raise KeyboardInterrupt

    monkeypatch.setattr(savedmodel, "export_savedmodel", remember)
    monkeypatch.setattr(file, "export_tflite", remember)
    for options in (["savedmodel"], ["tflite", "--shape", "16,16"]):
        with pytest.raises(SystemExit):
            main(["export", "--model", "general", "--format", *options])
    assert exported == [3, 2]
    printed = capsys.readouterr().err
    assert "general: means general-3d here, the one for 3-d images" in printed


def test_what_really_ships_can_be_described(capsys):
    for name in shipped_names():
        main(["info", name])
        printed = capsys.readouterr().out
        assert f"{SHIPPED / name}" in printed
        assert "licence: " in printed
        assert "training_data: " in printed
