"""Whether what today's TensorFlow exports loads in TensorFlow 2.15.1, and is the same.

What is found here stands in docs/compatibility.md.
"""

import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from random_models import affine, random_model, spline

from dlir_tf.export import replay
from dlir_tf.export.pairs import trial_batches
from dlir_tf.export.parity import inputs_of
from dlir_tf.export.savedmodel import write_savedmodel

SIGNATURES = {"serving_default", "parameters", "moved_labels", "quality"}
FLAT = {
    "ndim": 2,
    "spacing": [3.0, None],
    "initial_alignment": "centers",
    "stages": [
        affine([4, 2]),
        spline([8, 4]),
    ],
}
THICK = {
    "ndim": 3,
    "spacing": [3.0, 3.5, None],
    "axes": "slices_last",
    "initial_alignment": "mass",
    "stages": [
        affine([4, 4, 1], [2, 2, 1]),
        spline([8, 4, 1], [2, 1, 1], normalization="batch"),
    ],
}
EXPORTS = {"2-d, compiled by XLA": (FLAT, True), "3-d": (THICK, False)}
# Millimetres; of the moved image a part of its range.
TOLERANCE = 1e-4


def _call_here(folder, inputs):
    results = {}
    for name, serve in tf.saved_model.load(str(folder)).signatures.items():
        wanted = serve.structured_input_signature[1]
        outputs = serve(**{key: tf.constant(inputs[key]) for key in wanted})
        results[name] = {key: tensor.numpy() for key, tensor in outputs.items()}
    return results


def _call_there(run_legacy, folder, inputs):
    """By the script that proves exports, which lets neither Keras nor us in."""
    named = {f"0/{s}/{key}": a for s in SIGNATURES for key, a in inputs.items()}
    results = {}
    arrays = run_legacy(Path(replay.__file__), folder, inputs=named)
    for name, array in arrays.items():
        _, signature, key = name.split("/")
        if key != "peak_mb":
            results.setdefault(signature, {})[key] = array
    return results


@pytest.fixture(scope="module", params=EXPORTS)
def here_and_there(request, run_legacy, tmp_path_factory):
    """All outputs, in this process and in TensorFlow 2.15.1."""
    data, xla = EXPORTS[request.param]
    folder = tmp_path_factory.mktemp("saved") / "model"
    model = random_model(data, np.random.default_rng(3), 0.3)
    write_savedmodel(folder, model, xla=xla)
    near = trial_batches(data["ndim"])[0][0]
    inputs = inputs_of([near, near])
    inputs["fixed"][1] = inputs["fixed"][1, ::-1]  # another heart on the same grid
    return _call_here(folder, inputs), _call_there(run_legacy, folder, inputs)


def test_it_is_another_tensorflow(legacy_python):
    program = "from importlib.metadata import version; print(version('tensorflow'))"
    done = subprocess.run(
        [legacy_python, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "2.15.1" != tf.__version__


def test_all_signatures_give_the_same_there(here_and_there):
    here, there = here_and_there
    assert here.keys() == there.keys() == SIGNATURES
    for signature, outputs in here.items():
        assert outputs.keys() == there[signature].keys()
        for name, array in outputs.items():
            other = there[signature][name]
            if name == "model_json":
                assert [text.decode() for text in array] == other.tolist()
                continue
            assert np.isfinite(array).all(), name
            unit = np.ptp(array) if name == "moved" else 1.0
            np.testing.assert_allclose(
                other, array, rtol=0, atol=TOLERANCE * unit, err_msg=name
            )


def test_which_says_something_because_they_move_and_deform(here_and_there):
    here, _ = here_and_there
    assert np.std(here["serving_default"]["displacement"]) > 5
    assert np.std(here["parameters"]["control_points_2"]) > 1
    assert len(np.unique(here["moved_labels"]["moved_labels"])) == 4
    first, second = here["serving_default"]["moved"]
    assert np.std(first - second) > 1
