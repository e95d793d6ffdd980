"""A SavedModel must be the model, need nothing of ours, and be there whole or not."""

import dataclasses
import errno
import json
import re
import resource
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from dlir_tf.errors import ExportError, InputError
from dlir_tf.export import fresh_process, parity, savedmodel
from dlir_tf.export.description import describe_signatures
from dlir_tf.export.fresh_process import Answer
from dlir_tf.export.parity import Parity
from dlir_tf.export.savedmodel import export_savedmodel, write_savedmodel
from dlir_tf.export.warm_up import WARM_UP_FILE

EXACT = Parity(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, timings=(), peak_mb=0.0)


@pytest.fixture(scope="module")
def exported(flat_model, tmp_path_factory):
    """Exported from a folder whose files no process must take for modules."""
    home = tmp_path_factory.mktemp("home")
    for name in ("tensorflow", "numpy", "dlir_tf"):
        (home / f"{name}.py").write_text("raise SystemExit('the wrong one')")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        folder, figures = export_savedmodel(flat_model, Path("export"))
    return home / folder, figures


@pytest.fixture(scope="module")
def loaded(exported):
    """The signatures of the export, by name."""
    return tf.saved_model.load(str(exported[0])).signatures


@pytest.fixture
def quick(monkeypatch):
    """Exports that nobody checks, and that say nothing."""
    monkeypatch.setattr(savedmodel, "check_parity", lambda *_: EXACT)
    monkeypatch.setattr(savedmodel, "_write_warm_up", lambda *_: None)
    monkeypatch.setattr(savedmodel, "write_savedmodel", lambda *_, **__: None)


def compiled_functions(folder):
    """How many functions of a SavedModel XLA must compile."""
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((folder / "saved_model.pb").read_bytes())
    functions = saved.meta_graphs[0].graph_def.library.function
    assert len(functions) > 10
    return sum(function.attr["_XlaMustCompile"].b for function in functions)


def test_fresh_process_gives_what_the_model_gives(
    exported,
):
    folder, figures = exported
    assert folder.parts[-3:] == ("export", "dlir", "1")
    assert 0 < figures.displacement_mm < 1e-3
    assert figures.moved < 1e-4
    assert figures.labels == 0
    assert figures.quality < 1e-4
    shapes = [(timing.fixed, timing.moving) for timing in figures.timings]
    assert shapes == [((2, 41, 44), (2, 37, 52)), ((1, 96, 101), (1, 44, 41))]
    assert all(0 < t.seconds < t.first_seconds * 3 for t in figures.timings)
    assert figures.peak_mb > 50
    assert compiled_functions(folder) == 0


def test_folder_is_what_a_server_expects(exported):
    folder, figures = exported
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert {"saved_model.pb", "variables/variables.index", WARM_UP_FILE} <= names
    assert [path.name for path in folder.parent.iterdir()] == ["1"]
    described = json.loads((folder / "signature.json").read_text("utf-8"))
    assert described["provenance"]["data_sha256"] == "0a1b2c"
    assert described["parity"]["displacement_mm"] == figures.displacement_mm
    card = (folder / "model_card.md").read_text("utf-8")
    assert "training data, SHA-256 | 0a1b2c" in card
    for signature in described["signatures"].values():
        for name in (*signature["inputs"], *signature["outputs"]):
            assert f"`{name}`" in card


def test_description_is_that_of_the_signatures(loaded, flat_model):
    described = describe_signatures(flat_model.config)
    assert set(loaded) == set(described)
    for name, signature in loaded.items():
        _, inputs = signature.structured_input_signature
        for specs, kind in (
            (inputs, "inputs"),
            (signature.structured_outputs, "outputs"),
        ):
            assert set(specs) == set(described[name][kind])
            for key, tensor in described[name][kind].items():
                assert specs[key].dtype.name == tensor["dtype"]
                free = [n if isinstance(n, int) else None for n in tensor["shape"]]
                assert specs[key].shape.as_list() == free, key


def test_warm_up_requests_are_of_every_signature(loaded, exported):
    """The fresh process ran them with more pairs."""
    apis = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    warmed = []
    for record in tf.data.TFRecordDataset(str(exported[0] / WARM_UP_FILE)):
        request = apis.PredictionLog.FromString(record.numpy()).predict_log.request
        _, specs = loaded[request.model_spec.signature_name].structured_input_signature
        assert set(request.inputs) == set(specs)
        for key, spec in specs.items():
            array = tf.make_ndarray(request.inputs[key])
            assert spec.is_compatible_with(tf.TensorSpec(array.shape, array.dtype)), key
            assert np.ptp(array) > 0
        warmed.append(request.model_spec.signature_name)
    assert sorted(warmed) == sorted(loaded)


def test_xla_loads_and_runs_in_a_fresh_process(flat_model, tmp_path):
    write_savedmodel(tmp_path, flat_model, xla=True)
    assert compiled_functions(tmp_path) > 3
    assert parity.check_parity(tmp_path, flat_model).displacement_mm < 1e-3


def replay_here(folder, calls):
    """Stands in for the fresh process, whose start takes seconds."""
    signatures = tf.saved_model.load(str(folder)).signatures
    answers = []
    for call in calls:
        serve = signatures[call.signature]
        _, wanted = serve.structured_input_signature
        given = {key: tf.constant(call.inputs[key]) for key in wanted}
        arrays = {
            key: array.astype(str) if array.dtype == object else array
            for key, tensor in serve(**given).items()
            for array in (tensor.numpy(),)
        }
        answers.append(Answer(arrays, 1.0))
    return answers


def test_other_weights_in_the_folder_are_a_failure(flat_model, exported, monkeypatch):
    """The worst a fault could do: a valid export with the wrong content."""
    bias = flat_model.network.get_layer("stage_2_bspline").weights[-1]
    kept = bias.numpy()
    monkeypatch.setattr(parity, "run_in_fresh_process", replay_here)
    bias.assign_add([0.02, 0.0])
    try:
        with pytest.raises(ExportError, match=r"0\.01 mm"):
            parity.check_parity(exported[0], flat_model)
    finally:
        bias.assign(kept)


@pytest.mark.parametrize("figure", ["displacement_mm", "moved", "labels", "quality"])
def test_every_figure_counts(figure):
    assert EXACT.within_tolerance
    for value in (0.02, np.nan):
        assert not dataclasses.replace(EXACT, **{figure: value}).within_tolerance


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full"), ExportError()]
)
@pytest.mark.usefixtures("quick")
def test_failure_leaves_only_what_was_there(
    flat_model,
    tmp_path,
    monkeypatch,
    error,
):
    export_savedmodel(flat_model, tmp_path / "export")
    there = sorted(tmp_path.rglob("*"))

    def fail(folder, *_, **__):
        (folder / "half.bin").write_bytes(b"half")
        raise error

    monkeypatch.setattr(savedmodel, "write_savedmodel", fail)
    for output, version in (("export", 2), ("another/place", 1)):
        with pytest.raises(type(error)):
            export_savedmodel(flat_model, tmp_path / output, version=version)
    assert sorted(tmp_path.rglob("*")) == there


@pytest.fixture
def small_disk():
    """A disk on which no file can be larger than 100 kB."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("small_disk")
def test_full_disk_is_an_error_of_the_disk(flat_model, tmp_path, monkeypatch):
    large = np.random.default_rng(0).random(50_000)
    signature = tf.function(lambda: {"large": tf.constant(large)}, input_signature=[])
    monkeypatch.setattr(savedmodel, "build_signatures", lambda *_: {"large": signature})
    with pytest.raises(OSError, match="File too large") as caught:
        export_savedmodel(flat_model, tmp_path / "export")
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename == str(tmp_path / "export" / "dlir" / "1")
    assert list(tmp_path.iterdir()) == []


def test_full_disk_as_tensorflow_tells_it(flat_model, tmp_path, monkeypatch):
    def full(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    monkeypatch.setattr(savedmodel, "build_signatures", lambda *_: {})
    with pytest.raises(OSError, match="No space left") as caught:
        export_savedmodel(flat_model, tmp_path / "export")
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("quick")
def test_model_of_other_images_keeps_its_name(flat_model, thick_model, tmp_path):
    export_savedmodel(flat_model, tmp_path, version=3)
    export_savedmodel(flat_model, tmp_path, version=4)
    with pytest.raises(InputError, match="whose version 4 registers 2-d images"):
        export_savedmodel(thick_model, tmp_path, version=5)
    export_savedmodel(thick_model, tmp_path, name="other")


def test_what_went_wrong_in_the_fresh_process_is_told(tmp_path, monkeypatch):
    script = tmp_path / "replay.py"
    script.write_text("import sys\nprint('long')\nsys.exit('the reason')")
    monkeypatch.setattr(fresh_process, "_SCRIPT", script)
    told = "in a fresh process: the reason; install tensorflow .* please report it"
    with pytest.raises(ExportError, match=told):
        fresh_process.run_in_fresh_process(tmp_path, [])


def test_a_fresh_process_that_is_killed_had_no_memory_left(tmp_path, monkeypatch):
    script = tmp_path / "replay.py"
    script.write_text("import os\nos.kill(os.getpid(), 9)")
    monkeypatch.setattr(fresh_process, "_SCRIPT", script)
    with pytest.raises(ExportError, match=r"it was killed; if memory ran out, export"):
        fresh_process.run_in_fresh_process(tmp_path, [])


@pytest.mark.parametrize(
    ("package", "runtime"),
    [
        ("keras", "_saved_model"),
        ("dlir_tf", "_saved_model"),
        ("keras", "_litert_file"),
        ("dlir_tf", "_litert_file"),
        ("tensorflow", "_litert_file"),
    ],
)
def test_model_that_needs_a_package_fails_in_the_fresh_process(
    package, runtime, tmp_path, monkeypatch
):
    """Its script forbids them before anything else is imported."""
    original = Path(fresh_process.__file__).with_name("replay.py").read_text("utf-8")
    script = tmp_path / "replay.py"
    before, after = original.split(f"def {runtime}(")
    needy = re.sub("( +_forbid.*)", rf"\1\n    import {package}", after, count=1)
    script.write_text(f"{before}def {runtime}({needy}", encoding="utf-8")
    monkeypatch.setattr(fresh_process, "_SCRIPT", script)
    exported = tmp_path / "model.tflite" if runtime == "_litert_file" else tmp_path
    with pytest.raises(ExportError, match=f"import of {package} halted"):
        fresh_process.run_in_fresh_process(exported, [])
