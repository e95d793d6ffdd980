"""What the tests of similarities of different modalities share."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from dlir_tf.compute.compilation import without_islands
from dlir_tf.layers.warp import Warp


@pytest.fixture
def scene(rng):
    """Returns a function that makes smooth images in [0, 1], `(batch, *size, 1)`."""

    def make(size, batch=1, sigma=2.0):
        noise = rng.normal(size=(batch, *size))
        smooth = ndimage.gaussian_filter(noise, [0, *[sigma] * len(size)])
        axes = tuple(range(1, len(size) + 1))
        low, high = smooth.min(axes, keepdims=True), smooth.max(axes, keepdims=True)
        return ((smooth - low) / (high - low))[..., None].astype(np.float32)

    return make


@pytest.fixture
def assert_gradient_is_right(rng):
    """Returns a check of a similarity's gradient against finite differences."""

    @without_islands()  # to compile them takes longer
    def check(similarity, fixed, moved):
        tensor = tf.constant(moved)
        with tf.GradientTape() as tape:
            tape.watch(tensor)
            value = tf.reduce_sum(similarity(fixed, tensor))
        gradient = np.array(tape.gradient(value, tensor))
        assert np.isfinite(gradient).all()
        # Uphill, and mixed with noise. 0 and 1 keep their places: they set a scale.
        uphill = gradient / np.abs(gradient).max()
        for noise in (0.0, 0.3, 1.0):
            way = (uphill + noise * rng.normal(size=moved.shape)) * moved * (1 - moved)
            step = 2e-3
            ahead, behind = (
                float(tf.reduce_sum(similarity(fixed, np.float32(moved + s * way))))
                for s in (step, -step)
            )
            slope, scale = np.sum(gradient * way), np.sum(np.abs(gradient * way))
            assert (ahead - behind) / (2 * step) == pytest.approx(
                slope, abs=0.03 * scale
            )

    return check


@pytest.fixture
def recover_shift(scene):
    """Returns a function that finds a shift between two "modalities" by descent."""

    @without_islands()
    def recover(loss, shift, rate, steps=60):
        ndim = len(shift)
        size = (40, 36) if ndim == 2 else (20, 18, 19)
        anatomy = scene([n + 12 for n in size])[0, ..., 0]
        places = np.stack(np.indices(size), -1) + 6.0
        fixed, moving = (
            ndimage.map_coordinates(anatomy, np.moveaxis(points, -1, 0), order=1)
            for points in (places, places - np.array(shift))
        )
        moving = np.cos(4 * moving)  # neither linear nor monotonous
        fixed, moving = (
            tf.constant(x[None, ..., None], tf.float32) for x in (fixed, moving)
        )
        found = tf.Variable(tf.zeros(ndim))
        optimizer = tf.keras.optimizers.Adam(rate)

        @tf.function(autograph=False)
        def gradient(shift):
            with tf.GradientTape() as tape:
                tape.watch(shift)
                ddf = tf.zeros((1, *size, ndim)) + shift
                value = loss(fixed, Warp()(moving, ddf))[0]
            return tape.gradient(value, shift)

        for _ in range(steps):
            optimizer.apply_gradients([(gradient(tf.identity(found)), found)])
        return np.array(found)

    return recover
