"""Folding: exact on linear fields, 0 for what doesn't fold, and undone by descent."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.compute.compilation import without_islands
from dlir_tf.losses import folding_penalty
from dlir_tf.metrics import jacobian_determinant

SIZES = {2: (6, 9), 3: (5, 7, 6)}


def linear_field(matrix, size):
    points = np.stack(np.indices(size), -1)
    return np.float32(points @ (matrix - np.eye(len(size))).T)


@pytest.mark.parametrize("ndim", [2, 3])
def test_exact_on_linear_fields(ndim, rng):
    size = SIZES[ndim]
    matrices = rng.normal(0, 1.5, (8, ndim, ndim))
    determinants = np.linalg.det(matrices)
    assert determinants.min() < -0.5
    assert determinants.max() > 0.5
    fields = np.stack([linear_field(m, size) for m in matrices])
    for margin in (0.0, 0.4, -0.2):
        expected = np.maximum(margin - determinants, 0)
        found = folding_penalty(fields, margin)
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("ndim", [2, 3])
def test_agrees_with_the_metric_on_any_field(ndim, rng):
    fields = rng.normal(0, 1.0, (2, *SIZES[ndim], ndim)).astype(np.float32)
    expected = [np.maximum(0.1 - jacobian_determinant(u), 0).mean() for u in fields]
    assert min(expected) > 0.05
    np.testing.assert_allclose(folding_penalty(fields, 0.1), expected, rtol=1e-4)
    with without_islands():
        plain = folding_penalty(fields, 0.1)
    np.testing.assert_allclose(plain, expected, rtol=1e-4)


def test_along_an_axis_of_one_voxel_the_field_counts_as_constant(rng):
    field = rng.normal(0, 0.7, (1, 6, 1, 5, 3)).astype(np.float32)
    expected = np.maximum(-jacobian_determinant(field[0]), 0).mean()
    assert expected > 0.05
    np.testing.assert_allclose(folding_penalty(field), [expected], rtol=1e-4)


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_identity_and_shifts_cost_nothing(ndim):
    field = np.zeros((1, *SIZES[ndim], ndim), np.float32)
    for shift in (0, 7.5):
        assert float(folding_penalty(field + shift)[0]) == 0
        assert float(folding_penalty(field + shift, margin=0.5)[0]) == 0


def test_descent_unfolds(rng):
    field = tf.Variable(rng.normal(0, 1.5, (1, 8, 9, 2)).astype(np.float32))
    assert (jacobian_determinant(field.numpy()[0]) < 0).mean() > 0.2
    optimizer = tf.keras.optimizers.Adam(0.05)
    for _ in range(100):
        with tf.GradientTape() as tape:
            penalty = folding_penalty(field, margin=0.1)[0]
        optimizer.apply_gradients([(tape.gradient(penalty, field), field)])
    assert (jacobian_determinant(field.numpy()[0]) > 0).all()
