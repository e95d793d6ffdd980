"""Results are as readable as the user's umask says: pictures of patients, too."""

import os

import pytest
from every_output import writers
from random_models import random_model, spline

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")

MODES = {0o077: 0o600, 0o027: 0o640, 0o022: 0o644, 0o002: 0o664}


@pytest.fixture(params=MODES, ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(folder):
    """Of all files in a folder and below."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.name: path.stat().st_mode & 0o777 for path in files}


def test_every_file_has_the_mode_that_the_umask_leaves(tmp_path, umask):
    every = writers()
    for name, write in every.items():
        write(tmp_path / name)
    found = modes(tmp_path)
    assert set(every) <= set(found)
    assert {"image.zraw", "image.raw.gz", "transform1Warp.nii.gz"} <= set(found)
    assert {name: mode for name, mode in found.items() if mode != MODES[umask]} == {}


def test_an_old_files_mode_does_not_stay(tmp_path, umask):
    write = writers()["picture.png"]
    (tmp_path / "picture.png").touch()
    (tmp_path / "picture.png").chmod(0o666)
    write(tmp_path / "picture.png")
    assert modes(tmp_path) == {"picture.png": MODES[umask]}


def test_a_models_files_have_it_too(tmp_path, umask):
    from dlir_tf.config import Config
    from dlir_tf.models.folder import make_model, save_model
    from dlir_tf.models.model import build_model
    from dlir_tf.phantoms import write_phantoms
    from dlir_tf.training.log import TrainingLog

    stage = {"transform": "affine", "filters": [2, 2], "dense_units": [2]}
    stage |= {"downsample": 1, "feature_spacing": 4}
    config = Config.model_validate({"ndim": 2, "spacing": 1.0, "stages": [stage]})
    save_model(tmp_path / "model", make_model(config, build_model(config)))
    log = TrainingLog(tmp_path / "model" / "training.csv", tmp_path / "model" / "tb")
    log.write("stage_1_affine", 1, {"loss": 0.5})
    log.close()
    write_phantoms(tmp_path / "phantoms", num_train=1, num_test=1)
    found = modes(tmp_path)
    assert {"model.weights.h5", "provenance.json", "training.csv"} <= set(found)
    assert {"train.csv", "test001_displacement.nii.gz"} <= set(found)
    assert {name: mode for name, mode in found.items() if mode != MODES[umask]} == {}


def test_a_tflite_file_has_it_too(tmp_path, umask, monkeypatch, rng):
    from dlir_tf.export.tflite import file

    config = {"ndim": 2, "spacing": 1.0, "stages": [spline([4, 4])]}
    model = random_model(config, rng)
    monkeypatch.setattr(file, "convert", lambda *_: b"flatbuffer")
    monkeypatch.setattr(file, "check_tflite_parity", lambda *_: None)
    file.export_tflite(model, tmp_path / "model.tflite", shape=(8, 8))
    assert modes(tmp_path) == {"model.tflite": MODES[umask]}


def test_what_is_made_for_a_server_has_it_too(tmp_path, umask):
    """By TensorFlow itself, which has its own way of opening files."""
    import tensorflow as tf

    from dlir_tf.config import load_config
    from dlir_tf.export.version_folder import new_version
    from dlir_tf.export.warm_up import write_warm_up

    with new_version(tmp_path, "dlir", 1, load_config("demo")) as folder:
        module = tf.Module()
        module.weights = tf.Variable([1.0])
        tf.saved_model.save(module, str(folder))
        write_warm_up(folder, "dlir", [])
    found = modes(tmp_path)
    assert {"saved_model.pb", "tf_serving_warmup_requests"} <= set(found)
    assert {name: mode for name, mode in found.items() if mode != MODES[umask]} == {}
    folders = [path for path in tmp_path.rglob("*") if path.is_dir()]
    assert not any(path.stat().st_mode & umask for path in folders)
