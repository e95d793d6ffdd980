"""Whether what today's TensorFlow exports loads in TensorFlow 2.15.1, and is the same.

What is found here, and in versions between, stands in docs/compatibility.md.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.compilation import without_islands
from dlir_tf.config import Config
from dlir_tf.export.savedmodel import write_savedmodel
from dlir_tf.layers import AffineTransformer, BSplineTransformer, Compose, Warp
from dlir_tf.model import build_model
from dlir_tf.model_folder import make_model

Arrays = dict[str, np.ndarray]
BATCH = 2
SIZE = (16, 12, 8)


def _write_model(folder: Path) -> None:
    """An affine and a spline that move everything: random weights, all of them."""
    affine = {"transform": "affine", "filters": [3], "dense_units": [4]}
    spline = {"transform": "bspline", "filters": [3], "lattice_filters": 3}
    config = Config.model_validate(
        {
            "ndim": 3,
            "spacing": [1.5, 1.5, None],
            "stages": [
                {**affine, "downsample": [2, 2, 1], "feature_spacing": [4, 4, 1]},
                {
                    **spline,
                    "downsample": [2, 1, 1],
                    "control_point_spacing": [8, 4, 1],
                    "normalization": "batch",
                },
            ],
        }
    )
    network = build_model(config)
    rng = np.random.default_rng(3)
    for weight in network.weights:
        value = weight.numpy() + rng.normal(0, 0.3, weight.shape)
        weight.assign(np.abs(value) if "variance" in weight.path else value)
    write_savedmodel(folder, make_model(config, network, {"format_version": 1}))


def _write_layers(folder: Path) -> None:
    """All layers with their islands, compiled by XLA, and without."""
    affine, spline = AffineTransformer(1.0, 0.3), BSplineTransformer((4, 2, 1))

    def chain(image: Any, parameters: Any, control_points: Any) -> dict[str, Any]:
        field = affine(parameters, tf.ones((BATCH, 3)), image)
        ddf = Compose()(field, spline(control_points))
        nearest = Warp("nearest")(image, ddf)
        return {
            "ddf": ddf,
            "moved": Warp(fill_value=0.0)(image, ddf),
            "labels": nearest,
        }

    lattice = [n // s + 4 for n, s in zip(SIZE, (4, 2, 1), strict=True)]
    signature = [
        tf.TensorSpec((None, *SIZE, 1), tf.float32, "image"),
        tf.TensorSpec((None, 12), tf.float32, "parameters"),
        tf.TensorSpec((None, *lattice, 3), tf.float32, "control_points"),
    ]
    compiled = tf.function(chain, input_signature=signature).get_concrete_function()
    with without_islands(in_blocks=True):
        plain = tf.function(chain, input_signature=signature).get_concrete_function()
    tf.saved_model.save(
        tf.Module(), str(folder), signatures={"compiled": compiled, "plain": plain}
    )


def _inputs_of(signature: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Something for each input that a signature declares, by its name and shape."""
    rng = np.random.default_rng(5)
    for name, spec in signature.structured_input_signature[1].items():
        free = iter((BATCH, *SIZE))
        shape = tuple(next(free) if n is None else n for n in spec.shape)
        value = rng.normal(0, 1, shape)
        if "affine" in name:
            value = np.broadcast_to(np.diag([1.5, 1.5, 2.0, 1.0]), shape)
        elif name in ("fixed", "moving", "image", "moving_labels", "spacing"):
            value = rng.uniform(0.5, 9, shape) if spec.dtype == tf.int32 else abs(value)
        yield name, np.asarray(value, spec.dtype.as_numpy_dtype)


@pytest.fixture(scope="module", params=[_write_model, _write_layers])
def here_and_there(request, run_legacy, tmp_path_factory) -> tuple[Arrays, Arrays]:
    """The outputs of all signatures in this process and in TensorFlow 2.15.1."""
    folder = tmp_path_factory.mktemp("saved") / "model"
    request.param(folder)
    inputs, here = {}, {}
    for key, signature in tf.saved_model.load(str(folder)).signatures.items():
        given = dict(_inputs_of(signature))
        inputs.update({f"model:{key}:{name}": a for name, a in given.items()})
        outputs = signature(**{name: tf.constant(a) for name, a in given.items()})
        here.update({f"model:{key}:{name}": t.numpy() for name, t in outputs.items()})
    return here, run_legacy("run_savedmodel.py", inputs, str(folder))


def test_it_loads_and_gives_the_same(here_and_there):
    here, there = here_and_there
    assert there.pop("version") == "2.15.1"
    assert here.keys() == there.keys()
    assert here
    for name, array in here.items():
        if array.dtype == object:  # texts
            assert there[name].tolist() == array.tolist()
            continue
        assert np.isfinite(array).all(), name
        np.testing.assert_allclose(there[name], array, atol=2e-4, err_msg=name)
    # Which says something only because there is motion.
    fields = [a for name, a in here.items() if name.endswith((":ddf", ":displacement"))]
    assert fields
    assert min(np.std(field) for field in fields) > 0.1
