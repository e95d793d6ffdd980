"""Blocks: what is sampled block by block is what is sampled at once."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.compute import blocks
from dlir_tf.compute.compilation import all_at_once, without_islands, works_in_blocks
from dlir_tf.layers import Compose, Warp
from dlir_tf.layers.sampling import sample_linear

BATCH = 2
# Rows of 4 and of 21 points, so that there are several blocks and a smaller last one.
SIZES = {2: (23, 4), 3: (11, 7, 3)}
IMAGE_SIZES = {2: (6, 9), 3: (5, 1, 8)}


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "POINTS_PER_BLOCK", 45)


def _field(rng, ndim):
    return rng.normal(0, 3, (BATCH, *SIZES[ndim], ndim)).astype("float32")


def _image(rng, ndim, channels, dtype="float32"):
    shape = (BATCH, *IMAGE_SIZES[ndim], channels)
    return rng.integers(0, 200, shape).astype(dtype)


def _any_size(array):
    """Its shape as a graph may know it; of a matrix, only the batch is free."""
    free = 1 if array.shape[1:] == (3, 4) else array.ndim - 1
    return tf.TensorSpec((*[None] * free, *array.shape[free:]), array.dtype)


def _in_blocks(function, *arrays):
    """Runs a graph that knows ranks and channels only, and holds a loop."""
    signature = [_any_size(array) for array in arrays]
    with without_islands(in_blocks=True):
        graph = tf.function(function, input_signature=signature, autograph=False)
        concrete = graph.get_concrete_function()
    assert any("While" in op.type for op in concrete.graph.get_operations())
    return concrete(*map(tf.constant, arrays))


def _at_once(function, *arrays):
    with without_islands():
        return function(*map(tf.constant, arrays))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("fill_value", [None, -5.0])
def test_warp(ndim, channels, fill_value, rng):
    arrays = _image(rng, ndim, channels), _field(rng, ndim)
    layer = Warp(fill_value=fill_value)
    result = _in_blocks(layer, *arrays)
    assert result.shape == (BATCH, *SIZES[ndim], channels)
    # TensorFlow may add the shift of the border to either term, which rounds.
    np.testing.assert_allclose(result, _at_once(layer, *arrays), atol=5e-4)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32"])
def test_nearest_keeps_its_type(dtype, rng):
    arrays = _image(rng, 3, 2, dtype), _field(rng, 3)
    layer = Warp("nearest", fill_value=9)
    result = _in_blocks(layer, *arrays)
    assert result.dtype == dtype
    np.testing.assert_array_equal(result, _at_once(layer, *arrays))


def test_list_of_points(rng):
    arrays = _image(rng, 3, 1), rng.uniform(-2, 9, (BATCH, 100, 3)).astype("float32")
    result = _in_blocks(sample_linear, *arrays)
    np.testing.assert_array_equal(result, _at_once(sample_linear, *arrays))


@pytest.mark.parametrize("inner", ["field", "matrix"])
def test_compose(inner, rng):
    outer = rng.normal(0, 2, (BATCH, *SIZES[3], 3)).astype("float32")
    matrix = np.eye(3, 4) + rng.normal(0, 0.1, (BATCH, 3, 4))
    arrays = outer, _field(rng, 3) if inner == "field" else matrix.astype("float32")
    result = _in_blocks(Compose(), *arrays)
    np.testing.assert_allclose(result, _at_once(Compose(), *arrays), atol=2e-5)


def test_gradient_to_the_field(rng):
    image, ddf = _image(rng, 2, 3), _field(rng, 2)
    weights = rng.normal(size=(*ddf.shape[:-1], 3)).astype("float32")

    def gradient(image, ddf):
        with tf.GradientTape() as tape:
            tape.watch(ddf)
            value = tf.reduce_sum(Warp()(image, ddf) * weights)
        return tape.gradient(value, ddf)

    expected = _at_once(gradient, image, ddf)
    assert np.abs(expected).max() > 1
    result = _in_blocks(gradient, image, ddf)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-3)


def test_points_that_are_no_numbers_have_no_value(rng):
    """And don't stop the others, in blocks or not."""
    image, ddf = _image(rng, 2, 1), _field(rng, 2)
    ddf[1, 20, 3] = np.nan, 0.0
    bad = np.isnan(ddf).any(-1, keepdims=True)
    for run in (_in_blocks, _at_once):
        np.testing.assert_array_equal(np.isnan(run(Warp(), image, ddf)), bad)


def test_only_where_it_is_asked_for():
    assert not works_in_blocks()
    with without_islands(in_blocks=True):
        assert works_in_blocks()
        with all_at_once():
            assert not works_in_blocks()
        with without_islands():
            assert not works_in_blocks()
        assert works_in_blocks()
    assert not works_in_blocks()
