"""The fast path for known sizes and its gradient, against the layer and autodiff."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.layers import BSplineTransformer
from dlir_tf.layers.known_size import expand

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
