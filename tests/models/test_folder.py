"""A model folder gives the same model back, or says why it can't."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from random_models import random_model

import dlir_tf
from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.models.folder import load_model, make_model, save_model, write_config
from dlir_tf.models.folder_files import (
    CHECKPOINT_FILE,
    CONFIG_FILE,
    PROVENANCE_FILE,
    WEIGHTS_FILE,
    check_model_folder,
)
from dlir_tf.models.loading import check_model
from dlir_tf.models.model import build_model


def _config(steps=(4, 2), filters=(4, 4)):
    stage = {"downsample": 1, "filters": filters}
    affine = {"transform": "affine", "feature_spacing": 4, "dense_units": [4]}
    splines = [
        {"transform": "bspline", "control_point_spacing": s, "lattice_filters": 4}
        for s in steps
    ]
    stages = [stage | other for other in (affine, *splines)]
    return Config.model_validate({"ndim": 2, "spacing": 1.0, "stages": stages})


def _model(config):
    provenance = {"dlir_tf": "0.1.0", "seed": 3}
    rng = np.random.default_rng(3)
    return random_model(config, rng, 0.3, added=False, provenance=provenance)


def _inputs():
    rng = np.random.default_rng(5)
    fixed, moving = rng.uniform(size=(2, 1, 16, 12, 1)).astype("float32")
    return {"fixed": fixed, "moving": moving, "spacing": np.array([[1.0, 2.0]], "f4")}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "a" / "model"
    model = _model(_config())
    save_model(folder, model)
    return folder, model


@pytest.fixture
def folder(saved, tmp_path):
    return shutil.copytree(saved[0], tmp_path / "model")


def _outputs(model):
    tensors = {k: keras.ops.convert_to_tensor(v) for k, v in _inputs().items()}
    outputs = model.predict_parameters(tensors)
    return {k: keras.ops.convert_to_numpy(v) for k, v in outputs.items()}


def test_a_loaded_model_gives_identical_outputs(saved, folder):
    model = load_model(folder)
    before, after = _outputs(saved[1]), _outputs(model)
    assert sorted(after) == ["affine", "control_points_2", "control_points_3"]
    for name, values in before.items():
        assert np.abs(values).max() > 0.1
        np.testing.assert_array_equal(after[name], values)
    assert model.config == saved[1].config
    assert model.provenance["seed"] == 3
    names = sorted(entry.name for entry in folder.iterdir())
    assert names == sorted([CONFIG_FILE, WEIGHTS_FILE, PROVENANCE_FILE])


def test_another_process_elsewhere_loads_it(saved, folder, tmp_path):
    """Neither the working directory nor the code that trained it is needed."""
    np.savez(tmp_path / "inputs.npz", **_inputs())
    code = (
        "import sys, numpy as np, keras\n"
        "from dlir_tf import load_model\n"
        "inputs = dict(np.load(sys.argv[2]))\n"
        "inputs = {k: keras.ops.convert_to_tensor(v) for k, v in inputs.items()}\n"
        "outputs = load_model(sys.argv[1]).predict_parameters(inputs)\n"
        "np.savez(sys.argv[3], **{k: np.asarray(v) for k, v in outputs.items()})\n"
    )
    arguments = [str(folder), str(tmp_path / "inputs.npz"), str(tmp_path / "out.npz")]
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    package = str(Path(dlir_tf.__file__).parents[1])
    path = os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])
    subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=elsewhere,
        env={**os.environ, "PYTHONPATH": path},
        check=True,
    )
    with np.load(tmp_path / "out.npz") as outputs:
        for name, values in _outputs(saved[1]).items():
            np.testing.assert_allclose(outputs[name], values, atol=1e-6)


def _assert_refused(folder, *parts):
    with pytest.raises(InputError) as caught:
        load_model(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    for part in parts:
        assert part in message


@pytest.mark.parametrize("name", [CONFIG_FILE, WEIGHTS_FILE, PROVENANCE_FILE])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    _assert_refused(folder, "isn't a complete model folder", name)
    (folder / CHECKPOINT_FILE).touch()
    _assert_refused(folder, "its training isn't finished", "--resume")


def test_a_missing_folder_is_named(tmp_path):
    _assert_refused(tmp_path / "none", "no such model folder", "dlir-tf train")


def test_a_file_is_no_folder(tmp_path):
    image = tmp_path / "image.nii.gz"
    image.touch()
    _assert_refused(image, "is a file", "neither a model folder nor a .tflite file")


def test_a_tflite_file_is_told_from_a_folder(tmp_path):
    """There or not: a training makes no such file, and it can't be exported again."""
    path = tmp_path / "model.tflite"
    for make in (lambda: None, path.touch):
        make()
        with pytest.raises(InputError, match="the model folder that it was exported"):
            check_model_folder(path)


def test_another_version_is_refused(folder):
    path = folder / PROVENANCE_FILE
    provenance = json.loads(path.read_text()) | {"format_version": 99}
    path.write_text(json.dumps(provenance))
    _assert_refused(folder, "of version 99", "reads version 1", "(0.1.0)")


def test_a_provenance_without_the_digest_of_the_weights_is_refused(folder):
    path = folder / PROVENANCE_FILE
    provenance = json.loads(path.read_text())
    del provenance["weights_sha256"]
    path.write_text(json.dumps(provenance))
    _assert_refused(folder, PROVENANCE_FILE, "damaged", "lacks the weights_sha256")


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', "{}", "\x00"])
def test_a_damaged_provenance_is_refused(folder, text):
    (folder / PROVENANCE_FILE).write_text(text)
    _assert_refused(folder, PROVENANCE_FILE, "can't be read")


def test_a_damaged_config_is_refused(folder):
    (folder / CONFIG_FILE).write_text("ndim: 7\n")
    with pytest.raises(InputError, match=CONFIG_FILE):
        load_model(folder)


def test_a_config_that_was_changed_is_refused(folder):
    """Another spacing would load, and register differently."""
    path = folder / CONFIG_FILE
    text = path.read_text()
    changed = re.sub(r"spacing: .*", "spacing: [1.9, 1.9]", text, count=1)
    assert changed != text
    path.write_text(changed)
    _assert_refused(folder, CONFIG_FILE, "changed or damaged", "copy the model folder")
    with pytest.raises(InputError, match="changed or damaged"):
        check_model(folder)


def test_lines_of_the_config_may_end_as_another_system_ends_them(folder):
    path = folder / CONFIG_FILE
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    load_model(folder)


def test_a_folder_of_an_older_version_has_no_digest_of_its_config(folder):
    path = folder / PROVENANCE_FILE
    provenance = json.loads(path.read_text())
    del provenance["config_sha256"]
    path.write_text(json.dumps(provenance))
    load_model(folder)


def _damage(data, weight):
    """Ways in which a file can be broken."""
    yield b""
    yield b"no weights at all" * 100
    yield data[: len(data) // 2]
    yield data[:-100]
    yield data[:300] + bytes(600) + data[900:]
    # Not even the format notices that a few weights are other ones.
    place = data.index(weight)
    yield data[:place] + b"\x3f" * 4 + data[place + 4 :]


def test_damaged_weights_are_refused(saved, folder):
    path = folder / WEIGHTS_FILE
    weight = saved[1].network.weights[-1].numpy().tobytes()
    for damaged in list(_damage(path.read_bytes(), weight)):
        path.write_bytes(damaged)
        _assert_refused(folder, WEIGHTS_FILE, "copy the model folder again")


@pytest.mark.parametrize(
    "other",
    [_config((4,)), _config((4, 2, 1)), _config(filters=(4, 5)), _config((4, 4))],
    ids=["fewer stages", "more stages", "more filters", "other spacing"],
)
def test_weights_of_another_config_are_refused(folder, other):
    """Keras would load some, and leave the others as they were initialised."""
    write_config(folder, other)
    _assert_refused(folder, WEIGHTS_FILE)


def test_weights_of_another_training_are_refused(folder, tmp_path):
    config = _config()
    save_model(tmp_path / "other", make_model(config, build_model(config)))
    shutil.copy(tmp_path / "other" / WEIGHTS_FILE, folder / WEIGHTS_FILE)
    _assert_refused(folder, WEIGHTS_FILE, PROVENANCE_FILE)


def test_saving_that_fails_leaves_the_old_model(saved, folder, monkeypatch):
    """The folder says that it is complete at the very end."""

    def fail(path):
        path.write_bytes(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(saved[1].network, "save_weights", fail)
    before = {entry.name: entry.read_bytes() for entry in folder.iterdir()}
    with pytest.raises(OSError, match="disk is full"):
        save_model(folder, saved[1])
    assert {e.name: e.read_bytes() for e in folder.iterdir()} == before
    with pytest.raises(OSError, match="disk is full"):
        save_model(folder.parent / "new", saved[1])
    with pytest.raises(InputError, match="isn't a complete model folder"):
        check_model_folder(folder.parent / "new")


FULL_DISK = """
import resource, sys
from pathlib import Path
from dlir_tf.cli.work.quiet import load_keras
load_keras()
from dlir_tf.config import read_config
from dlir_tf.models.model import build_model
from dlir_tf.models.folder import make_model, save_model
config = read_config(sys.argv[1])
model = make_model(config, build_model(config))
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    save_model(Path(sys.argv[2]), model)
except OSError as error:
    print(error.errno, error.filename)
"""


def test_a_full_disk_is_an_error_not_a_crash(saved, tmp_path):
    """HDF5 would end the process, or fill the screen."""
    pytest.importorskip("resource", reason="Windows has no limits for a process")
    config, new = saved[0] / CONFIG_FILE, tmp_path / "new"
    # Not room enough for the weights, but for the config.
    limit = (saved[0] / WEIGHTS_FILE).stat().st_size // 2
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(config), str(new), str(limit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [str(errno.EFBIG), str(new / WEIGHTS_FILE)]
    assert [entry.name for entry in new.iterdir()] == [CONFIG_FILE]


def test_the_room_that_is_asked_for_is_enough(saved, folder, monkeypatch):
    asked = []
    monkeypatch.setattr(
        saved[1].network,
        "save_weights",
        lambda path: asked.append(path.stat().st_size),
    )
    save_model(folder.parent / "new", saved[1])
    (num_bytes,) = asked
    assert num_bytes > 2 * (folder / WEIGHTS_FILE).stat().st_size
