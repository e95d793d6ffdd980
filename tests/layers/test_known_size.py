"""The fast paths for known sizes and their gradients, against layers and autodiff."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.layers import BSplineTransformer, Compose
from dlir_tf.layers.known_size import compose, expand

SIZES = {2: (8, 12), 3: (8, 12, 3)}
SPACINGS = {2: (8, 4), 3: (8, 4, 1)}


def random_points(rng, size, spacing, scale):
    lattice = [n // s + 4 for n, s in zip(size, spacing, strict=True)]
    points = scale * rng.normal(size=(1, *lattice, len(size)))
    return tf.constant(points.astype("float32"))


@pytest.mark.parametrize("ndim", [2, 3])
def test_expansion_is_that_of_the_layer(ndim, rng):
    spacing = SPACINGS[ndim]
    points = random_points(rng, SIZES[ndim], spacing, 1.0)
    upstream = rng.normal(size=(1, *SIZES[ndim], ndim)).astype("float32")
    found = []
    for function in (
        lambda p: expand(p, spacing=spacing),
        BSplineTransformer(spacing),
    ):
        with tf.GradientTape() as tape:
            tape.watch(points)
            field = function(points)
        found.append((field, tape.gradient(field, points, upstream)))
    np.testing.assert_allclose(found[0][0], found[1][0], atol=1e-5)
    np.testing.assert_allclose(found[0][1], found[1][1], atol=1e-4)


@pytest.mark.parametrize("size", [(6, 9), (5, 1), (4, 6, 3), (4, 5, 1)])
def test_composition_and_its_gradient_are_those_of_the_layer(size, rng):
    """Also where a field leads out of the grid, and along an axis of one voxel."""
    ndim = len(size)
    outer, inner, upstream = (
        tf.constant(2 * rng.normal(size=(1, *size, ndim)).astype("float32"))
        for _ in range(3)
    )
    found = []
    for function in (compose, Compose()):
        with tf.GradientTape() as tape:
            tape.watch([outer, inner])
            field = function(outer, inner)
        found.append([field, *tape.gradient(field, [outer, inner], upstream)])
    for ours, theirs in zip(*found, strict=True):
        assert np.abs(theirs).max() > 0.1
        np.testing.assert_allclose(ours, theirs, atol=2e-5)
