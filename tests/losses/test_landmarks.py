"""Landmark error: in mm, between voxels, and only where there is a landmark."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from dlir_tf.losses import landmark_error

SIZES = {2: (8, 6), 3: (5, 7, 6)}


@pytest.mark.parametrize("ndim", [2, 3])
def test_agrees_with_scipy(ndim, rng):
    size, num = SIZES[ndim], 9
    ddf = rng.normal(0, 2, (2, *size, ndim)).astype(np.float32)
    # Some lie beyond the border, where the field goes on as it is there.
    fixed = rng.uniform(-2, np.array(size) + 1, (2, num, ndim)).astype(np.float32)
    moving = rng.uniform(0, size, (2, num, ndim)).astype(np.float32)
    spacing = np.float32([[1.5, 0.7, 4.0], [1.0, 2.0, 3.0]])[:, :ndim]
    weights = np.float32(rng.random((2, num)) < 0.6)
    every, some = [], []
    for b in range(2):
        moved = [
            ndimage.map_coordinates(ddf[b, ..., a], fixed[b].T, order=1, mode="nearest")
            for a in range(ndim)
        ]
        apart = (fixed[b] + np.stack(moved, -1) - moving[b]) * spacing[b]
        distances = np.linalg.norm(apart, axis=-1)
        every.append(distances.mean())
        some.append(distances[weights[b] > 0].mean())
    found = landmark_error(fixed, moving, ddf, spacing)
    np.testing.assert_allclose(found, every, rtol=1e-4)
    found = landmark_error(fixed, moving, ddf, spacing, weights)
    np.testing.assert_allclose(found, some, rtol=1e-4)


POINTS = np.float32([[[2.0, 3.0], [4.5, 1.5]]])


@pytest.mark.parametrize(
    ("apart", "weights", "expected"),
    [
        ([0.0, 0.0], [1, 1], 0.0),
        ([0.0, 3.0], [0, 0], 0.0),
        ([3.0, 2.0], [1, 1], 5.0),
        ([[3.0, 2.0], [90.0, 9.0]], [1, 0], 5.0),
    ],
)
def test_what_meets_or_is_not_there_pulls_at_nothing(apart, weights, expected):
    ddf, spacing = tf.zeros((1, 8, 6, 2)), tf.constant([[1.0, 2.0]])
    with tf.GradientTape() as tape:
        tape.watch(ddf)
        error = landmark_error(
            POINTS, np.float32(POINTS + apart), ddf, spacing, np.float32([weights])
        )
    assert float(error[0]) == pytest.approx(expected, abs=2e-3)
    gradient = np.array(tape.gradient(error, ddf))
    assert np.isfinite(gradient).all()
    assert gradient.any() == (expected > 0)


def test_descent_brings_landmarks_together(rng):
    fixed = rng.uniform(1, 5, (1, 6, 2)).astype(np.float32)
    moving = fixed + np.float32([1.3, -0.8])
    found = tf.Variable(tf.zeros(2))
    optimizer = tf.keras.optimizers.Adam(0.1)
    for _ in range(80):
        with tf.GradientTape() as tape:
            ddf = tf.zeros((1, 7, 7, 2)) + found
            error = landmark_error(fixed, moving, ddf, tf.constant([[1.0, 3.0]]))
        optimizer.apply_gradients([(tape.gradient(error, found), found)])
    np.testing.assert_allclose(found, [1.3, -0.8], atol=0.1)
