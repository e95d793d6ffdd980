"""A SavedModel must be the model, need nothing of ours, and be there whole or not."""

import errno
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.framework import graph_pb2
from tensorflow.core.protobuf import saved_model_pb2

from dlir_tf.config import Config
from dlir_tf.export import ExportError, fresh_process, parity, savedmodel
from dlir_tf.export.parity import Parity, random_pairs
from dlir_tf.export.savedmodel import (
    export_savedmodel,
    working_grid_function,
    write_savedmodel,
)
from dlir_tf.model import build_model
from dlir_tf.model_folder import Model, make_model

Arrays = dict[str, np.ndarray]
Serve = Any

SMALL = {"filters": [3], "lattice_filters": 3}
AFFINE = {"transform": "affine", "filters": [3], "dense_units": [4]}


def random_model(**data: object) -> Model:
    """A model that moves everything: an untrained one agrees with any other."""
    config = Config.model_validate(data)
    network = build_model(config)
    rng = np.random.default_rng(7)
    for weight in network.weights:
        value = weight.numpy() + rng.normal(0, 0.3, weight.shape)
        weight.assign(np.abs(value) if "variance" in weight.path else value)
    return make_model(config, network, {"seed": 7, "format_version": 1})


@pytest.fixture(scope="module")
def flat_model() -> Model:
    return random_model(
        ndim=2,
        spacing=[1.5, None],
        stages=[
            {**AFFINE, "downsample": 1, "feature_spacing": [4, 2]},
            {
                **SMALL,
                "transform": "bspline",
                "downsample": 1,
                "control_point_spacing": [4, 2],
            },
        ],
    )


@pytest.fixture(scope="module")
def thick_model() -> Model:
    """3-d, with slices that aren't pooled: multiples of (8, 4, 1)."""
    return random_model(
        ndim=3,
        spacing=[1.2, 1.5, None],
        stages=[
            {**AFFINE, "downsample": [2, 2, 1], "feature_spacing": [4, 4, 1]},
            {
                **SMALL,
                "transform": "bspline",
                "downsample": [2, 1, 1],
                "control_point_spacing": [8, 4, 1],
                "normalization": "batch",
            },
        ],
    )


@pytest.fixture(scope="module")
def exported(
    thick_model: Model, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Parity]:
    """Exported from a folder whose files no process must take for modules."""
    home = tmp_path_factory.mktemp("home")
    for name in ("tensorflow", "numpy", "dlir_tf"):
        (home / f"{name}.py").write_text("raise SystemExit('the wrong one')")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        folder, figures = export_savedmodel(thick_model, Path("export"))
    return home / folder, figures


@pytest.fixture(scope="module")
def flat_folder(flat_model: Model, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flat")
    write_savedmodel(folder, flat_model)
    return folder


@pytest.fixture(scope="module")
def graph(flat_model: Model) -> tf.Graph:
    """Of the exported function, but with what XLA compiles."""
    return working_grid_function(flat_model).get_concrete_function().graph


@pytest.fixture(scope="module")
def serve(flat_folder: Path) -> Serve:
    loaded = tf.saved_model.load(str(flat_folder))
    assert set(loaded.signatures) == {"serving_default"}
    return loaded.signatures["serving_default"]


def replay_here(folder: Path, pairs: list[Arrays]) -> list[Arrays]:
    """Stands in for the fresh process, whose start takes seconds."""
    serve = tf.saved_model.load(str(folder)).signatures["serving_default"]
    replayed = []
    for pair in pairs:
        outputs = serve(**{name: tf.constant(array) for name, array in pair.items()})
        arrays = {name: tensor.numpy() for name, tensor in outputs.items()}
        replayed.append({**arrays, "seconds": np.float64(1)})
    return replayed


def pair_of(size: tuple[int, ...], batch: int = 1) -> dict[str, tf.Tensor]:
    rng = np.random.default_rng(1)
    images = rng.random((2, batch, *size, 1), np.float32)
    spacing = rng.uniform(0.5, 3, (batch, len(size))).astype(np.float32)
    return {
        "fixed": tf.constant(images[0]),
        "moving": tf.constant(images[1]),
        "spacing": tf.constant(spacing),
    }


def graphs_of(graph: graph_pb2.GraphDef) -> list[object]:
    """Everything in a graph that has attributes: functions and nodes."""
    functions = list(graph.library.function)
    nodes = [node for function in functions for node in function.node_def]
    return [*functions, *nodes, *graph.node]


def num_compiled(graph: graph_pb2.GraphDef) -> int:
    return sum(item.attr["_XlaMustCompile"].b for item in graphs_of(graph))


def test_fresh_process_gives_what_the_model_gives(
    exported: tuple[Path, Parity], thick_model: Model
) -> None:
    folder, figures = exported
    assert folder.parts[-3:] == ("export", "dlir", "1")
    assert figures.within_tolerance
    assert figures.ddf_mm < 1e-3
    assert figures.moved < 1e-4
    assert figures.shapes == ((2, 8, 12, 5), (1, 40, 4, 3))
    assert figures.seconds > 0
    # Which says something only because the model does something.
    outputs = thick_model.network(random_pairs(thick_model.config)[0])
    assert np.std(outputs["ddf"]) > 0.1
    assert np.std(outputs["control_points_2"]) > 0.1


def test_folder_is_what_a_server_expects(exported: tuple[Path, Parity]) -> None:
    folder, _ = exported
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    assert {"saved_model.pb", "variables/variables.index"} <= names
    provenance = folder / "assets.extra" / "provenance.json"
    assert '"seed": 7' in provenance.read_text()
    assert [path.name for path in folder.parent.iterdir()] == ["1"]


def test_signature_has_our_names_and_free_sizes(serve: Serve) -> None:
    _, inputs = serve.structured_input_signature
    assert {name: tuple(spec.shape) for name, spec in inputs.items()} == {
        "fixed": (None, None, None, 1),
        "moving": (None, None, None, 1),
        "spacing": (None, 2),
    }
    outputs = serve.structured_outputs
    assert {name: tuple(spec.shape) for name, spec in outputs.items()} == {
        "moved": (None, None, None, 1),
        "ddf": (None, None, None, 2),
        "affine": (None, 2, 3),
        "control_points_2": (None, None, None, 2),
    }
    specs = [*inputs.values(), *outputs.values()]
    assert {spec.dtype for spec in specs} == {tf.float32}


@pytest.mark.parametrize(("size", "batch"), [((12, 2), 3), ((4, 10), 1)])
def test_any_batch_and_size(
    serve: Serve, flat_model: Model, size: tuple[int, int], batch: int
) -> None:
    pair = pair_of(size, batch)
    received = serve(**pair)
    expected = flat_model.network(pair, training=False)
    assert np.std(expected["ddf"]) > 0.1
    for name, tensor in expected.items():
        np.testing.assert_allclose(received[name], tensor, atol=1e-4, err_msg=name)


def test_nothing_must_be_compiled_by_xla(flat_folder: Path, graph: tf.Graph) -> None:
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((flat_folder / "saved_model.pb").read_bytes())
    graphs = [meta.graph_def for meta in saved.meta_graphs]
    assert len(graphs_of(graphs[0])) > 100
    assert sum(map(num_compiled, graphs)) == 0
    # The model itself has such functions: they would have been found.
    assert num_compiled(graph.as_graph_def()) > 0


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("both", (1, 12, 7, 1), r"fixed: every size must be a multiple of \[4, 2\]"),
        ("both", (1, 0, 8, 1), r"fixed: every size must be a multiple of \[4, 2\]"),
        ("moving", (1, 8, 6, 1), "moving: must have the shape of fixed"),
        ("moving", (3, 8, 4, 1), "moving: must have the shape of fixed"),
        ("spacing", (2, 2), "spacing: must have one row per pair"),
    ],
)
def test_misfit_is_named_in_the_graph(
    serve: Serve, name: str, shape: tuple[int, ...], message: str
) -> None:
    pair = pair_of((8, 4))
    for key in ("fixed", "moving") if name == "both" else (name,):
        pair[key] = tf.ones(shape)
    with pytest.raises(tf.errors.InvalidArgumentError, match=message):
        serve(**pair)


@pytest.mark.parametrize("name", ["fixed", "moving", "spacing"])
def test_network_waits_for_the_checks(graph: tf.Graph, name: str) -> None:
    """Else it depends on threads whether a misfit is named or breaks a reshape."""
    consumers = graph.get_operation_by_name(name).outputs[0].consumers()
    (given,) = (op for op in consumers if op.type == "Identity")
    checks = [op.name for op in given.control_inputs]
    assert len(checks) == 4
    assert all("assert" in name for name in checks)
    # Only the checks themselves look at what was given.
    others = {op.type for op in consumers if "assert" not in op.name} - {"Identity"}
    assert others <= {"Shape"}


@pytest.mark.parametrize("millimetres", [0.0, -1.5, np.nan])
def test_spacing_that_is_no_length_is_named(serve: Serve, millimetres: float) -> None:
    pair = pair_of((8, 4))
    pair["spacing"] = tf.constant([[1.0, millimetres]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="spacing: must be mm"):
        serve(**pair)


def test_another_model_in_the_folder_is_a_failure_that_leaves_nothing(
    flat_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worst a fault could do: a valid export with the wrong content."""

    def write_moved(folder: Path, model: Model) -> None:
        write_savedmodel(folder, model)
        bias = model.network.get_layer("stage_2_bspline").weights[-1]
        bias.assign_add([0.02, 0.0])

    monkeypatch.setattr(savedmodel, "write_savedmodel", write_moved)
    monkeypatch.setattr(parity, "run_in_fresh_process", replay_here)
    with pytest.raises(ExportError, match=r"0\.01 mm"):
        export_savedmodel(flat_model, tmp_path / "export")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full"), ExportError()]
)
def test_failure_leaves_only_what_was_there(
    flat_model: Model,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
) -> None:
    old = tmp_path / "export" / "dlir" / "1"
    old.mkdir(parents=True)

    def fail(folder: Path, _: Model) -> None:
        (folder / "half.bin").write_bytes(b"half")
        raise error

    monkeypatch.setattr(savedmodel, "write_savedmodel", fail)
    for output, version in (("export", 2), ("another/place", 1)):
        with pytest.raises(type(error)):
            export_savedmodel(flat_model, tmp_path / output, version=version)
    assert sorted(tmp_path.rglob("*")) == sorted([old.parents[1], old.parent, old])


def test_full_disk_is_an_error_of_the_disk(
    flat_model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    with pytest.raises(OSError, match="No space left") as caught:
        export_savedmodel(flat_model, tmp_path / "export")
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_what_went_wrong_in_the_fresh_process_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "replay.py"
    script.write_text("import sys\nprint('long')\nsys.exit('the reason')")
    monkeypatch.setattr(fresh_process, "_SCRIPT", script)
    with pytest.raises(ExportError, match=r"in a fresh process: the reason$"):
        fresh_process.run_in_fresh_process(tmp_path, [])


def test_nan_in_one_of_the_pairs_is_a_failure(
    flat_model: Model, flat_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def replay(folder: Path, pairs: list[Arrays]) -> list[Arrays]:
        outputs = replay_here(folder, pairs)
        outputs[1]["ddf"][0, 0] = np.nan
        return outputs

    monkeypatch.setattr(parity, "run_in_fresh_process", replay)
    with pytest.raises(ExportError, match="ddf nan voxels"):
        parity.check_parity(flat_folder, flat_model)
