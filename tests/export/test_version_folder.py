"""A server must never see a version that isn't whole."""

import json
import os

import pytest

from dlir_tf.config import load_config
from dlir_tf.errors import InputError
from dlir_tf.export.version_folder import check_version_folder, new_version

HEARTS = load_config("cardiac-cine")


def describe(version, config=HEARTS):
    version.mkdir(parents=True)
    described = {"ndim": config.ndim, "config": config.model_dump(mode="json")}
    (version / "signature.json").write_text(json.dumps(described))


def test_taken_version_names_the_next_free_one(tmp_path):
    for version in ("1", "4", "12", "x7", ".13-unfinished"):
        describe(tmp_path / "export" / "dlir" / version)
    with pytest.raises(InputError, match="the next free one is --version 13"):
        check_version_folder(tmp_path / "export", "dlir", 4, HEARTS)
    free = check_version_folder(tmp_path / "export", "dlir", 5, HEARTS)
    assert free == tmp_path / "export" / "dlir" / "5"
    assert check_version_folder(tmp_path / "export", "brain", 4, HEARTS).name == "4"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "-x", "a b"])
def test_name_is_that_of_a_folder(tmp_path, name):
    with pytest.raises(InputError, match="--name: must be letters"):
        check_version_folder(tmp_path, name, 1, HEARTS)


def test_output_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "export").write_text("")
    with pytest.raises(InputError, match="is a file"):
        check_version_folder(tmp_path / "export", "dlir", 1, HEARTS)


def test_version_that_appears_meanwhile_is_not_replaced(tmp_path):
    def export_meanwhile():
        with new_version(tmp_path, "dlir", 1, HEARTS) as folder:
            (folder / "mine").touch()
            (tmp_path / "dlir" / "1").mkdir()
            (tmp_path / "dlir" / "1" / "theirs").touch()

    with pytest.raises(OSError, match="1"):
        export_meanwhile()
    left = [path.name for path in (tmp_path / "dlir").rglob("*")]
    assert sorted(left) == ["1", "theirs"]


@pytest.mark.parametrize(
    ("preset", "message"),
    [
        ("brain-2d", "registers 2-d images"),
        ("liver-mr", "is for 'breathing liver.*', and this one for 'cardiac cine.*'"),
    ],
)
def test_another_model_of_this_name_is_left_alone(tmp_path, preset, message):
    describe(tmp_path / "dlir" / "7", load_config(preset))
    with pytest.raises(
        InputError, match=f"dlir: holds another model, whose version 7 {message}; "
    ):
        check_version_folder(tmp_path, "dlir", 8, HEARTS)


def test_model_that_was_trained_again_is_the_same(tmp_path):
    describe(tmp_path / "dlir" / "7")
    again = HEARTS.model_copy(
        update={"stages": HEARTS.stages[:-1], "training": load_config("demo").training}
    )
    assert check_version_folder(tmp_path, "dlir", 8, again).name == "8"


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("saved_model.pb", ""),
        ("signature.json", "["),
        ("signature.json", "{}"),
        ("signature.json", '{"ndim": 3, "config": []}'),
    ],
)
def test_what_isnt_ours_is_left_alone(tmp_path, file, text):
    version = tmp_path / "dlir" / "7"
    version.mkdir(parents=True)
    (version / file).write_text(text)
    with pytest.raises(InputError, match="version 7 isn't an export of dlir-tf"):
        check_version_folder(tmp_path, "dlir", 8, HEARTS)


@pytest.mark.parametrize("place", [".", "dlir"])
@pytest.mark.parametrize("file", ["saved_model.pb", "model.weights.h5"])
def test_folder_that_is_a_model_itself_is_refused(tmp_path, place, file):
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / file).touch()
    with pytest.raises(InputError, match=f"is a model itself, it has {file}"):
        check_version_folder(tmp_path, "dlir", 1, HEARTS)


def test_folder_that_cant_be_written_is_refused(tmp_path, monkeypatch):
    """Pretended, because root may write everywhere."""
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path / "locked")
    (tmp_path / "locked").mkdir()
    with pytest.raises(InputError, match="locked can't be written"):
        check_version_folder(tmp_path / "locked" / "export", "dlir", 1, HEARTS)
