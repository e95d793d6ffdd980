"""The file of a LiteRT model: what was packed is read; what is damaged isn't."""

import io
import json
import zipfile

import pytest

from dlir_tf.config import dump_config, load_config
from dlir_tf.errors import InputError
from dlir_tf.models.litert_file import Card, pack, read_model_file

FLATBUFFER = bytes(range(256)) * 3


@pytest.fixture
def card():
    return Card(load_config("demo"), (16, 32, 8), "int8", {"seed": 3, "loss": 0.5})


def test_gives_back_what_was_packed(tmp_path, card):
    path = tmp_path / "model.tflite"
    path.write_bytes(pack(FLATBUFFER, card))
    assert read_model_file(path) == (FLATBUFFER, card)


def test_any_zip_program_lists_what_the_model_is(card):
    whole = pack(FLATBUFFER, card)
    assert whole.startswith(FLATBUFFER)  # where interpreters look for it
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        assert json.loads(archive.read("dlir_tf.json"))["shape"] == [16, 32, 8]
        assert b"stages" in archive.read("config.yaml")


def test_missing(tmp_path):
    with pytest.raises(InputError, match=r"no such model file.*--format tflite"):
        read_model_file(tmp_path / "model.tflite")


@pytest.mark.parametrize("kept", [100, len(FLATBUFFER) + 40, -5])
def test_cut_short(tmp_path, card, kept):
    path = tmp_path / "model.tflite"
    path.write_bytes(pack(FLATBUFFER, card)[:kept])
    with pytest.raises(InputError, match="isn't a whole model file"):
        read_model_file(path)


@pytest.mark.parametrize("position", [0, 500])
def test_a_changed_byte(tmp_path, card, position):
    whole = bytearray(pack(FLATBUFFER, card))
    whole[position] ^= 1
    path = tmp_path / "model.tflite"
    path.write_bytes(whole)
    with pytest.raises(InputError, match="is damaged"):
        read_model_file(path)


def test_of_another_version(tmp_path, card, monkeypatch):
    path = tmp_path / "model.tflite"
    with monkeypatch.context() as patch:
        patch.setattr("dlir_tf.models.litert_file.FORMAT_VERSION", 99)
        path.write_bytes(pack(FLATBUFFER, card))
    with pytest.raises(InputError, match=r"version 99; this dlir-tf reads version 1"):
        read_model_file(path)


def test_a_bomb_is_not_unpacked(tmp_path):
    """Gigabytes of zeros pack into megabytes; a config has a few thousand bytes."""
    whole = io.BytesIO(FLATBUFFER)
    with zipfile.ZipFile(whole, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.yaml", bytes(10_000_000))
        archive.writestr("dlir_tf.json", "{}")
    (tmp_path / "model.tflite").write_bytes(whole.getvalue())
    with pytest.raises(InputError, match="isn't a whole model file") as caught:
        read_model_file(tmp_path / "model.tflite")
    assert "10000000 bytes" in str(caught.value.__cause__)


@pytest.mark.parametrize(
    "change",
    [
        {"shape": None},
        {"shape": [16, 32]},
        {"shape": [16, 32, 8.5]},
        {"shape": [16, 32, -8]},
        {"shape": "big"},
        {"provenance": 3},
    ],
    ids=str,
)
def test_a_card_that_does_not_fit(tmp_path, card, change):
    with zipfile.ZipFile(io.BytesIO(pack(FLATBUFFER, card))) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    content = {**json.loads(entries["dlir_tf.json"]), **change}
    whole = io.BytesIO(FLATBUFFER)
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr("config.yaml", entries["config.yaml"])
        archive.writestr("dlir_tf.json", json.dumps(content))
    (tmp_path / "model.tflite").write_bytes(whole.getvalue())
    with pytest.raises(InputError, match="its card must state a shape of 3 sizes"):
        read_model_file(tmp_path / "model.tflite")


def packed_again(card, change, config=""):
    """A file of which somebody has changed the card, or its config's text."""
    with zipfile.ZipFile(io.BytesIO(pack(FLATBUFFER, card))) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    content = {**json.loads(entries["dlir_tf.json"]), **change}
    whole = io.BytesIO(FLATBUFFER)
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr("config.yaml", config or entries["config.yaml"])
        archive.writestr("dlir_tf.json", json.dumps(content))
    return whole.getvalue()


@pytest.mark.parametrize(
    "change",
    [
        {"shape": [16, 32, 16]},
        {"precision": "float32"},
        {"provenance": {"seed": 4, "loss": 0.5}},
        {"more": 1},
    ],
    ids=str,
)
def test_a_card_that_was_changed(tmp_path, card, change):
    path = tmp_path / "model.tflite"
    path.write_bytes(packed_again(card, {}))
    read_model_file(path)
    path.write_bytes(packed_again(card, change))
    with pytest.raises(InputError, match="changed or damaged since it was exported"):
        read_model_file(path)


def test_a_config_that_was_changed(tmp_path, card):
    path = tmp_path / "model.tflite"
    other = card.config.model_copy(update={"spacing": (1.9, 1.8, None)})
    path.write_bytes(packed_again(card, {}, dump_config(other)))
    with pytest.raises(InputError, match="changed or damaged since it was exported"):
        read_model_file(path)


def test_a_file_of_an_older_version_has_no_digest_of_its_card(tmp_path, card):
    path = tmp_path / "model.tflite"
    path.write_bytes(packed_again(card, {"card_sha256": None, "shape": [16, 32, 16]}))
    assert read_model_file(path)[1].shape == (16, 32, 16)
