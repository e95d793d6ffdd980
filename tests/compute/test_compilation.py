"""Compiled islands: XLA where it helps, and none of it where it is unwelcome."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from dlir_tf.compute.compilation import (
    compiled_fixed_island,
    compiled_graph,
    compiled_island,
    value_and_gradient,
    without_islands,
)
from dlir_tf.layers import Warp


def _calls_xla(graph):
    return any(
        function.attr["_XlaMustCompile"].b
        for function in graph.as_graph_def().library.function
    )


def _warp_graph():
    layer = Warp()
    signature = [tf.TensorSpec((None, None, None, n)) for n in (1, 2)]
    function = tf.function(lambda i, d: layer(i, d), input_signature=signature)
    return function.get_concrete_function().graph


def test_layers_are_compiled_islands_in_a_plain_graph():
    assert _calls_xla(_warp_graph())
    with without_islands():
        assert not _calls_xla(_warp_graph())
    assert _calls_xla(_warp_graph())


def test_result_is_the_same_with_and_without(rng):
    image = rng.random((1, 5, 4, 1), dtype="float32")
    ddf = rng.normal(size=(1, 5, 4, 2)).astype("float32")
    compiled = Warp()(image, ddf)
    with without_islands():
        plain = Warp()(image, ddf)
    np.testing.assert_allclose(compiled, plain, atol=1e-6)


def test_islands_come_back_after_an_error():
    try:
        with without_islands():
            raise RuntimeError
    except RuntimeError:
        pass
    assert _calls_xla(_warp_graph())


def test_one_trace_serves_all_sizes_of_a_rank():
    """And each rank keeps its own, whatever was called before."""
    traced = []

    @compiled_island
    def total(x, *, factor):
        traced.append((len(x.shape), factor))
        return factor * ops.sum(x, axis=tuple(range(len(x.shape))))

    for size in range(3, 9):
        assert total(tf.ones((size, 2)), factor=2) == 4 * size
        assert total(tf.ones((size, size + 1, 2)), factor=2) == 4 * size * (size + 1)
    # Once for the first size, once more with the size left open.
    assert traced.count((2, 2)) <= 2
    assert traced.count((3, 2)) <= 3
    assert total(tf.ones((3, 2)), factor=5) == 30


@pytest.mark.parametrize("compiled", [compiled_island, compiled_fixed_island])
def test_gradients_flow_through_what_is_floating(compiled):
    """In a graph and outside, also where the result has no say in an input."""

    @compiled
    def weighted(x, rows, unused, *, factor):
        return factor * ops.take(x, rows, axis=0) ** 2

    def slope(x):
        rows, unused = tf.constant([2, 0, 2]), tf.ones((1, 1))
        with tf.GradientTape() as tape:
            tape.watch([x, unused])
            total = ops.sum(weighted(x, rows, unused, factor=3.0))
        return tape.gradient(total, [x, unused], unconnected_gradients="zero")

    x = tf.constant([[1.0], [2.0], [5.0]])
    for function in (slope, tf.function(slope)):
        found, nothing = function(x)
        np.testing.assert_allclose(found, [[6.0], [0.0], [60.0]])
        np.testing.assert_array_equal(nothing, [[0.0]])


def test_fixed_islands_know_their_sizes():
    traced = []

    @compiled_fixed_island
    def doubled(x):
        traced.append(tuple(x.shape))
        return 2 * x

    for size in (3, 4, 3):
        np.testing.assert_array_equal(
            doubled(tf.ones((size, 2))), np.full((size, 2), 2)
        )
    assert traced == [(3, 2), (4, 2)]
    unknown = tf.function(doubled, input_signature=[tf.TensorSpec((None, 2))])
    np.testing.assert_array_equal(unknown(tf.ones((5, 2))), np.full((5, 2), 2))
    assert traced[-1] == (None, 2)


def test_value_and_gradient_of_a_dict():
    def loss(variables, data):
        return ops.sum(variables["a"] ** 2 * data)

    function = compiled_graph(value_and_gradient(loss))
    variables = {"a": tf.constant([1.0, 3.0]), "b": tf.ones(2)}
    value, gradient = function(variables, tf.constant([2.0, 1.0]))
    assert float(value) == 11
    np.testing.assert_allclose(gradient["a"], [4.0, 6.0])
    np.testing.assert_array_equal(gradient["b"], [0.0, 0.0])


def test_a_backend_without_gradients_is_named_with_a_way_out(monkeypatch):
    monkeypatch.setattr("keras.backend.backend", lambda: "torch")
    with pytest.raises(NotImplementedError, match=r"backend torch; set KERAS_BACKEND"):
        value_and_gradient(lambda variables: variables)


def test_name_and_docstring_are_those_of_the_function():
    @compiled_island
    def documented(x):
        """Says what it does."""
        return x

    assert documented.__name__ == "documented"
    assert documented.__doc__ == "Says what it does."
