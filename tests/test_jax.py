"""The same code under JAX gives the same numbers as under TensorFlow.

This file is a program, too: under KERAS_BACKEND=jax it writes its numbers to a file.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from dlir_tf.compute.compilation import compiled_graph, without_islands
from dlir_tf.config import Config
from dlir_tf.images import Image
from dlir_tf.layers import (
    AffineTransformer,
    BSplineTransformer,
    Compose,
    Warp,
)
from dlir_tf.losses import (
    bending_energy,
    folding_penalty,
    landmark_error,
    mind_ssc,
    mse,
    ncc,
    nmi,
    windowed_ncc,
)
from dlir_tf.losses.label_maps import LABELS
from dlir_tf.models.folder import make_model
from dlir_tf.models.model import build_model, training_model
from dlir_tf.models.objective import Objective
from dlir_tf.models.parameters import Parameters
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.refinement import refine
from dlir_tf.registration import register

SIZE = (8, 8, 3)
CONFIG = {
    "ndim": 3,
    "spacing": [1.5, 1, 8],
    "stages": [
        {
            "transform": "affine",
            "downsample": [2, 1, 1],
            "feature_spacing": [4, 2, 1],
            "filters": [4],
            "dense_units": [],
        },
        {
            "transform": "bspline",
            "downsample": 1,
            "control_point_spacing": [2, 2, 1],
            "filters": [4],
            "lattice_filters": 4,
        },
    ],
}


def _arrays(rng):
    control_points = rng.normal(size=(2, 6, 8, 7, 3)).astype("float32")
    return {
        "images": rng.random((2, 2, *SIZE, 1), dtype="float32"),
        "fields": 1.5 * rng.normal(size=(2, 2, *SIZE, 3)).astype("float32"),
        "control_points": control_points,
        "parameters": rng.normal(size=(2, 12)).astype("float32"),
        "labels": rng.integers(0, 9, (2, *SIZE, 1)).astype("int32"),
        "mask": (rng.random((2, *SIZE, 1)) < 0.9).astype("float32"),
    }


def _layers_and_losses(arrays):
    image, other = arrays["images"][0], arrays["images"][1]
    outer, inner = arrays["fields"][0], arrays["fields"][1]
    points, mask = arrays["control_points"], arrays["mask"]
    spacing = np.float32([[1, 2, 3], [2, 1, 5]])
    return {
        "warp": Warp()(image, outer),
        "filled": Warp(fill_value=0.5)(image, outer),
        "nearest": Warp("nearest")(arrays["labels"], outer),
        "composed": Compose()(outer, inner),
        "affine": AffineTransformer()(arrays["parameters"], spacing, image),
        "spline": BSplineTransformer((4, 2, 1), injective=True)(points),
        "bending_energy": bending_energy(points, (4, 2, 1), spacing),
        "ncc": ncc(image, other, mask),
        "windowed_ncc": windowed_ncc(image, image + 0.3 * other, 3, mask),
        "mse": mse(image, other, mask),
        "nmi": nmi(image, image + 0.3 * other, 16, 100, mask),
        "mind_ssc": mind_ssc(image, other, 0, 1, mask),
        "folding_penalty": folding_penalty(outer, 0.2),
        "landmark_error": landmark_error(
            4 * outer[:, 0, 0], 4 * inner[:, 0, 0], inner, spacing
        ),
    }


def _objective(arrays):
    """With masks and labels, at half the resolution of the images."""
    training = {"supervision": {"labels": 0.5}}
    config = Config.model_validate({**CONFIG, "training": training})
    images = arrays["images"][:, :, ::2, ::2]
    batch = {
        "mask": arrays["mask"],
        "fixed_mask": keras.ops.roll(arrays["mask"], 1, axis=0),
        "moving_mask": keras.ops.ones_like(arrays["mask"]),
        "spacing": np.float32([[1, 2, 3], [2, 1, 5]]),
        "label_values": np.float32([[1, 2], [3, 4]]),
    }
    for shift, name in enumerate(LABELS):
        labels = keras.ops.roll(arrays["labels"], shift, axis=1)
        batch[name] = keras.ops.cast(labels, "float32")
    outputs = {
        "fixed": images[0],
        "moved": images[1],
        "ddf": arrays["fields"][0][:, ::2, ::2],
        "control_points_2": arrays["control_points"],
    }
    return Objective(config, (2, 2, 1))(batch, outputs)


def _model_with_random_weights(rng):
    model = build_model(Config.model_validate(CONFIG))
    model.set_weights([rng.normal(0, 0.2, w.shape) for w in model.get_weights()])
    return model


def _registration(rng, network):
    """Of arrays in memory, on different grids: what a user calls."""
    fixed = Image(rng.random((9, 7, 3), dtype="float32"), np.diag([1.5, 1, 8, 1]))
    affine = np.diag([-1.7, 1.2, 7.0, 1])  # stored from right to left
    affine[:3, 3] = [12.5, -0.4, 1.0]
    moving = Image(rng.random((8, 9, 4), dtype="float32"), affine)
    model = make_model(Config.model_validate(CONFIG), network)
    result = register(fixed, moving, model=model, do_no_harm=False)
    return {
        "register, displacement": result.displacement,
        "register, moved": result.moved.array,
        "register, points": result.transform.map_points([[3.2, 4.1, 9.0]]),
    }


def _refinement(rng):
    """Affine and deformable, with a mask: all that a step is made of.

    Not from nothing: exactly at a voxel, the slope of an image is ambiguous.
    """
    config = Config.model_validate({**CONFIG, "similarity": {"kind": "mse"}})
    start = Parameters(
        np.eye(3, 4) + 0.02 * rng.random((3, 4)),
        {"control_points_2": 0.3 * rng.random((8, 8, 7, 3))},
    )
    images = rng.random((2, 8, 8, 3), dtype="float32")
    mask = images[0] < 0.9
    images = [Image(array, np.diag([1.5, 1, 8, 1])) for array in images]
    masks = {"fixed_mask": images[0].with_array(mask)}
    pair = prepare_pair(*images, config, **masks)
    result = refine(pair, config, 3, start=start)
    losses = np.float32([result.loss_before, result.loss_after])
    return {"refine, losses": losses} | {
        f"refine, {name}": values for name, values in result.parameters.named().items()
    }


def _loss(outputs):
    similarity = ncc(outputs["fixed"], outputs["moved"])
    energy = bending_energy(
        outputs["control_points_2"], (2, 2, 1), np.ones((2, 3), "float32")
    )
    return keras.ops.mean(energy - similarity)


def _gradients(model, inputs):
    """Of the loss of the last stage, with respect to all weights that it has."""
    view = training_model(model, Config.model_validate(CONFIG), 1, 2)
    variables = model.get_layer("stage_2_bspline").trainable_variables
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            loss = _loss(view(inputs, training=True))
        return loss, tape.gradient(loss, [v.value for v in variables])
    import jax

    everything = view.trainable_variables
    chosen = [i for i, v in enumerate(everything) if any(v is w for w in variables)]

    def loss_of(values):
        state = [v.value for v in view.non_trainable_variables]
        outputs, _ = view.stateless_call(values, state, inputs, training=True)
        return _loss(outputs)

    loss, gradients = jax.jit(jax.value_and_grad(loss_of))(
        [v.value for v in everything]
    )
    return loss, [gradients[i] for i in chosen]


def _numbers():
    """Everything that both backends compute, by name."""
    rng = np.random.default_rng(11)
    arrays = _arrays(rng)
    numbers = dict(compiled_graph(_layers_and_losses)(arrays))
    objective = compiled_graph(_objective)(arrays)
    numbers |= {f"objective, {name}": value for name, value in objective.items()}
    model = _model_with_random_weights(rng)
    fixed, moving = rng.random((2, 2, *SIZE, 1), dtype="float32")
    spacing = np.float32([[1.5, 1, 8], [1, 1, 4]])
    inputs = {"fixed": fixed, "moving": moving, "spacing": spacing}
    outputs = compiled_graph(lambda pair: model(pair, training=False))(inputs)
    numbers |= {f"registration, {name}": value for name, value in outputs.items()}
    loss, gradients = _gradients(model, inputs)
    numbers["training, loss"] = loss
    numbers |= {f"training, gradient {i}": g for i, g in enumerate(gradients)}
    numbers |= _registration(rng, model)
    numbers |= _refinement(rng)
    return {k: keras.ops.convert_to_numpy(value) for k, value in numbers.items()}


def test_jax_gives_the_numbers_of_tensorflow(tmp_path):
    if importlib.util.find_spec("jax") is None:
        pytest.skip("JAX is not installed: pip install 'dlir-tf[jax]'")
    root = Path(__file__).resolve().parents[1]
    paths = [str(root), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {
        **os.environ,
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # it compiles more than it computes
        "JAX_PLATFORMS": "cpu",
        "KERAS_BACKEND": "jax",
        "PYTHONPATH": os.pathsep.join(paths),
    }
    file = tmp_path / "numbers.npz"
    run = subprocess.run(
        [sys.executable, __file__, str(file)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    with without_islands():
        expected = _numbers()
    with np.load(file) as numbers:
        assert set(numbers) == set(expected)
        for name, value in expected.items():
            assert np.any(value), name
            assert numbers[name].dtype == value.dtype, name
            np.testing.assert_allclose(
                numbers[name], value, rtol=2e-3, atol=2e-4, err_msg=name
            )


if __name__ == "__main__":
    numbers = _numbers()
    if keras.backend.backend() != "jax" or "tensorflow" in sys.modules:
        sys.exit("this is to run under JAX, without TensorFlow")
    np.savez(sys.argv[1], **numbers)
