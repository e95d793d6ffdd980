"""An export that differs from its model is refused and leaves nothing."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from dlir_tf.errors import ExportError
from dlir_tf.export.tflite import file as module
from dlir_tf.export.tflite.file import export_tflite
from dlir_tf.export.tflite.parity import (
    TFLiteParity,
    check_precision,
    compare,
    example_pairs,
)

SHAPE = (24, 32)


def test_precisions(make_random_model, tmp_path):
    """Less precise weights are smaller, and less like the model."""
    # Wide enough: the converter leaves small kernels as they are.
    spline = {"transform": "bspline", "downsample": 1, "control_point_spacing": [4, 2]}
    wide = make_random_model(
        ndim=2,
        spacing=[1.5, 2.0],
        stages=[{**spline, "filters": [48, 48], "lattice_filters": 48}],
    )
    for weight in wide.network.weights:
        weight.assign(weight.numpy() / 4)
    sizes, differences = [], []
    for precision in ("float32", "float16", "int8"):
        path = tmp_path / f"{precision}.tflite"
        parity = export_tflite(wide, path, shape=SHAPE, precision=precision)
        sizes.append(path.stat().st_size)
        differences.append(parity.displacement_mm)
        assert parity.largest_mm > 0.5  # or it would say nothing
        assert 20 < parity.parameters_mb < 500  # TensorFlow alone needs more
    num_weights = sum(np.prod(w.shape) for w in wide.network.weights)
    assert sizes[0] - sizes[1] > 1.8 * num_weights
    assert sizes[1] - sizes[2] > 0.8 * num_weights
    assert differences[0] < 1e-3
    assert differences[0] < differences[1] < differences[2]


@pytest.mark.parametrize("changed", ["another", "nonsense"])
def test_a_wrong_file_is_refused(
    changed,
    flat_model,
    make_random_model,
    tmp_path,
    monkeypatch,
):
    convert = module.convert

    def wrong(network, *options):
        if changed == "nonsense":
            return b"nonsense" * 100
        other = make_random_model(**flat_model.config.model_dump(mode="json"))
        for weight in other.network.weights:
            weight.assign(1.5 * weight.numpy())
        return convert(other.network, *options)

    monkeypatch.setattr(module, "convert", wrong)
    cause = {
        "another": "doesn't give what the model gives",
        "nonsense": "can't be loaded and run by LiteRT",
    }
    with pytest.raises(ExportError, match=cause[changed]):
        export_tflite(flat_model, tmp_path / "model.tflite", shape=SHAPE)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(flat_model, tmp_path, monkeypatch):
    def full(path, content):
        with path.open("wb") as file:
            file.write(content[:100])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(module, "convert", lambda *_: b"flatbuffer")
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left"):
        export_tflite(flat_model, tmp_path / "model.tflite", shape=SHAPE)
    assert list(tmp_path.iterdir()) == []


def test_compares_in_millimetres(flat_model):
    pair = example_pairs(flat_model.config, SHAPE)[0]
    rng = np.random.default_rng(2)
    expected = {
        "moved": rng.random((1, *SHAPE, 1)),
        "ddf": np.zeros((1, *SHAPE, 2)),
        "affine": np.eye(2, 3)[None],
        "control_points_2": np.zeros((1, 5, 7, 2)),
    }
    received = {name: array.copy() for name, array in expected.items()}
    received["ddf"][0, 3, 4] = (0.4, 0.3)
    received["control_points_2"][0, 1, 1, 1] = -0.5
    received["affine"][0, 0, 2] = 0.1
    pair["spacing"] = np.array([[1.5, 2.0]])
    found = compare(pair, expected, received, flat_model.config)
    assert found["displacement_mm"] == pytest.approx(np.hypot(0.6, 0.6))
    assert found["control_points_mm"] == pytest.approx(1.0)
    assert found["affine_mm"] == pytest.approx(0.15)
    assert found["moved"] == 0
    del received["ddf"]
    with pytest.raises(
        ExportError, match=r"`ddf` must have the shape.*report it.*nothing"
    ):
        compare(pair, expected, received, flat_model.config)


def test_nan_is_no_small_difference():
    figures = dict.fromkeys(TFLiteParity.__dataclass_fields__, 0.0)
    assert TFLiteParity(**figures).within_tolerance("float32")
    for name in ("displacement_mm", "moved", "affine_mm", "control_points_mm"):
        parity = TFLiteParity(**{**figures, name: float("nan")})
        assert not parity.within_tolerance("int8")


@pytest.mark.parametrize(
    ("precision", "cure"),
    [("float32", "nothing in .* please report"), ("float16", "choose --precision")],
)
def test_what_to_do_about_a_difference_is_told(precision, cure):
    figures = dict.fromkeys(TFLiteParity.__dataclass_fields__, 0.0)
    parity = TFLiteParity(**{**figures, "displacement_mm": 0.2})
    with pytest.raises(ExportError, match=f"allowed for {precision} are .*; {cure}"):
        check_precision(parity, precision)
    check_precision(parity, "int8")
