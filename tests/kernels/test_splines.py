"""Kernels of splines, against the layer, its adjoint and the loss of bending."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.kernels.bending import BendingEnergy
from dlir_tf.kernels.splines import expand, phase_weights, sum_up
from dlir_tf.layers import BSplineTransformer
from dlir_tf.losses import bending_energy

CASES = [((24, 35), (8, 5)), ((12, 21, 5), (4, 3, 1)), ((6, 4, 10), (2, 4, 10))]


def lattice(rng, size, spacing):
    shape = [n // s + 4 for n, s in zip(size, spacing, strict=True)]
    return rng.normal(size=(*shape, len(size))).astype("float32")


@pytest.mark.parametrize(("size", "spacing"), CASES)
def test_a_spline_is_expanded_as_by_the_layer(rng, size, spacing):
    points = lattice(rng, size, spacing)
    expected = BSplineTransformer(spacing)(points[None])[0]
    np.testing.assert_allclose(expand(points, spacing), expected, atol=1e-5)


@pytest.mark.parametrize(("size", "spacing"), CASES)
def test_summing_up_is_the_adjoint_of_expanding(rng, size, spacing):
    """<expand(c), f> = <c, sum_up(f)> for any lattice and any field."""
    points = lattice(rng, size, spacing)
    field = rng.normal(size=(*size, len(size))).astype("float32")
    forth = np.vdot(expand(points, spacing).astype(float), field)
    back = np.vdot(points.astype(float), sum_up(field, spacing))
    assert forth == pytest.approx(back, rel=1e-4)


def test_the_weights_of_every_voxel_sum_up_to_one():
    for spacing in (1, 2, 3, 8):
        weights = phase_weights(spacing)
        np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
        assert (np.count_nonzero(weights, axis=1) <= 4).all()


@pytest.mark.parametrize("few", [0, 10**6])  # in several parts, and in one
@pytest.mark.parametrize(("size", "spacing"), CASES)
def test_bending_energy_and_its_gradient_are_those_of_the_loss(
    rng, monkeypatch, size, spacing, few
):
    monkeypatch.setattr("dlir_tf.kernels.compiling._FEW", few)
    points = tf.constant(lattice(rng, size, spacing))
    voxels = (1.5, 0.7, 4.0)[: len(size)]
    with tf.GradientTape() as tape:
        tape.watch(points)
        as_tensor = keras.ops.convert_to_tensor([voxels], "float32")
        expected = bending_energy(points[None], spacing, as_tensor)[0]
    slopes = tape.gradient(expected, points).numpy()
    energy = BendingEnergy(points.shape[:-1], spacing, voxels)
    found, gradient = energy(points.numpy())
    assert found == pytest.approx(float(expected), rel=1e-4)
    np.testing.assert_allclose(gradient, slopes, atol=1e-4 * np.abs(slopes).max())
