"""What every layer promises: any size, any batch, any precision, saved and loaded."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.compute.compilation import without_islands
from dlir_tf.layers import (
    AffineMatrix,
    AffineTransformer,
    BSplineTransformer,
    Compose,
    Warp,
)
from dlir_tf.layers.pooling import AveragePool, EdgePad
from dlir_tf.models.networks import Centroids

# Odd or unequal where the layer allows it, and two of them for each rank.
SIZES = {2: [(8, 4), (4, 12)], 3: [(8, 4, 4), (4, 12, 8)]}
CONTROL_POINT_SPACING = {2: (4, 2), 3: (4, 2, 1)}
BATCH = 2


def _image(rng, size, channels=3):
    return rng.normal(size=(BATCH, *size, channels)).astype("float32")


def _matrix(rng, size):
    ndim = len(size)
    noise = 0.1 * rng.normal(size=(BATCH, ndim, ndim + 1))
    return (np.eye(ndim, ndim + 1) + noise).astype("float32")


def _affine_inputs(rng, size):
    ndim = len(size)
    parameters = 0.3 * rng.normal(size=(BATCH, {2: 6, 3: 12}[ndim]))
    spacing = rng.uniform(0.5, 3, (BATCH, ndim))
    return parameters.astype("float32"), spacing.astype("float32"), _image(rng, size)


def _field(rng, size):
    return 1.5 * _image(rng, size, channels=len(size))


def _lattice(rng, size):
    steps = CONTROL_POINT_SPACING[len(size)]
    cells = tuple(n // s + 4 for n, s in zip(size, steps, strict=True))
    return (_field(rng, cells),)


CASES = {
    "Warp": (lambda _: Warp(fill_value=0.5), lambda r, s: (_image(r, s), _field(r, s))),
    "Warp, nearest": (
        lambda _: Warp("nearest"),
        lambda r, s: (r.integers(0, 9, (BATCH, *s, 1)).astype("int16"), _field(r, s)),
    ),
    "Compose, fields": (
        lambda _: Compose(outer_gradient=False),
        lambda r, s: (_field(r, s), _field(r, s)),
    ),
    "Compose, matrix of field": (
        lambda _: Compose(),
        lambda r, s: (_matrix(r, s), _field(r, s)),
    ),
    "Compose, field of matrix": (
        lambda _: Compose(),
        lambda r, s: (_field(r, s), _matrix(r, s)),
    ),
    "Compose, matrices": (
        lambda _: Compose(),
        lambda r, s: (_matrix(r, s), _matrix(r, s)),
    ),
    "AffineMatrix": (lambda _: AffineMatrix(1.0, 0.3), _affine_inputs),
    "AffineTransformer": (lambda _: AffineTransformer(2.0, 0.2), _affine_inputs),
    "BSplineTransformer": (
        lambda n: BSplineTransformer(CONTROL_POINT_SPACING[n], injective=True),
        _lattice,
    ),
    "AveragePool": (
        lambda n: AveragePool((2, 4, 1)[:n], dtype="float32"),
        lambda r, s: (_image(r, s),),
    ),
    "EdgePad": (lambda _: EdgePad(2, dtype="float32"), lambda r, s: (_image(r, s),)),
    "Centroids": (lambda _: Centroids(), lambda r, s: (_image(r, s),)),
}


def _functional(layer, arrays, ndim):
    """A model of one layer that knows ranks and channels, but no sizes."""
    inputs = [
        keras.Input(
            (*[None] * ndim, a.shape[-1]) if a.ndim == ndim + 2 else a.shape[1:],
            dtype=a.dtype.name,
        )
        for a in arrays
    ]
    return keras.Model(inputs, layer(*inputs))


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("case", CASES)
def test_sizes_are_dynamic_and_samples_independent(case, ndim, rng):
    """The graph knows no sizes; the judge is the layer on one sample at a time."""
    make_layer, make_inputs = CASES[case]
    layer = make_layer(ndim)
    model = _functional(layer, make_inputs(rng, SIZES[ndim][0]), ndim)
    graph = tf.function(
        lambda *tensors: model(list(tensors)),
        input_signature=[tf.TensorSpec(x.shape, x.dtype) for x in model.inputs],
        autograph=False,
    )
    for size in SIZES[ndim]:
        arrays = make_inputs(rng, size)
        result = graph(*arrays).numpy()
        with without_islands():
            alone = [layer(*(a[b : b + 1] for a in arrays)) for b in range(BATCH)]
        assert result.shape[0] == BATCH
        assert np.abs(result[0] - result[1]).max() > 0.01
        np.testing.assert_allclose(
            result, np.concatenate([a.numpy() for a in alone]), atol=2e-5
        )


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("case", CASES)
def test_declared_shape_and_type_are_the_real_ones(case, ndim, rng):
    make_layer, make_inputs = CASES[case]
    layer, arrays = make_layer(ndim), make_inputs(rng, SIZES[ndim][0])
    declared = layer(*(keras.KerasTensor(a.shape, a.dtype.name) for a in arrays))
    with without_islands():
        real = layer(*map(tf.constant, arrays))
    assert (declared.shape, declared.dtype) == (tuple(real.shape), real.dtype.name)
    unknown = _functional(layer, arrays, ndim).output.shape
    for a, b in zip(unknown, real.shape, strict=True):
        assert a in (None, b)


@pytest.mark.parametrize("case", CASES)
def test_a_saved_layer_comes_back_without_custom_objects(case, rng, tmp_path):
    make_layer, make_inputs = CASES[case]
    layer, arrays = make_layer(3), make_inputs(rng, SIZES[3][0])
    model = _functional(layer, arrays, 3)
    model.save(tmp_path / "layer.keras")
    loaded = keras.saving.load_model(tmp_path / "layer.keras")
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    with without_islands():
        expected = layer(*map(tf.constant, arrays)).numpy()
        np.testing.assert_array_equal(loaded(list(arrays)), expected)
        np.testing.assert_array_equal(again(*map(tf.constant, arrays)), expected)


@pytest.mark.parametrize("case", [c for c in CASES if c not in ("AveragePool",)])
def test_mixed_precision_leaves_coordinates_alone(case, rng):
    """Half precision counts voxels up to 2048 only, and those without fractions."""
    make_layer, make_inputs = CASES[case]
    arrays = [tf.constant(a) for a in make_inputs(rng, SIZES[2][0])]
    with without_islands():
        expected = make_layer(2)(*arrays)
        before = keras.config.dtype_policy()
        keras.config.set_dtype_policy("mixed_float16")
        try:
            result = make_layer(2)(*arrays)
        finally:
            keras.config.set_dtype_policy(before)
    assert result.dtype == expected.dtype
    np.testing.assert_array_equal(result, expected)
