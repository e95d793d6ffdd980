"""Soft Dice: known points, a NumPy version, masks, and what descends by it."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.layers.warp import Warp
from dlir_tf.losses import soft_dice

SHAPES = {2: (2, 9, 7, 3), 3: (2, 5, 8, 6, 3)}


def one_hot(labels, num):
    return np.equal(labels[..., None], np.arange(1, num + 1)).astype(np.float32)


@pytest.mark.parametrize("ndim", [2, 3])
def test_of_one_hot_maps_it_is_the_mean_dice(ndim, rng):
    fixed, moved = rng.integers(0, 4, (2, *SHAPES[ndim][:-1]))
    moved[1][moved[1] == 2] = 0  # is missed, unlike 3, which isn't there at all
    fixed[1][fixed[1] == 3] = moved[1][moved[1] == 3] = 0
    expected = []
    for f, m, labels in zip(fixed, moved, ([1, 2, 3], [1, 2]), strict=True):
        overlaps = [
            2 * np.sum((f == k) & (m == k)) / (np.sum(f == k) + np.sum(m == k))
            for k in labels
        ]
        expected.append(np.mean(overlaps))
    found = soft_dice(one_hot(fixed, 3), one_hot(moved, 3))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("ndim", [2, 3])
def test_known_points(ndim, rng):
    maps = rng.random(SHAPES[ndim], dtype="float32")
    np.testing.assert_allclose(soft_dice(maps, maps), 1, rtol=1e-6)
    half = np.concatenate([maps[:1], np.zeros_like(maps[:1])])
    np.testing.assert_allclose(soft_dice(maps, half), [1, 0], atol=1e-6)
    apart = (maps > 0.5).astype("float32")
    np.testing.assert_allclose(soft_dice(apart, 1 - apart), 0, atol=1e-6)
    # No structure anywhere: nothing to learn, and no NaN.
    np.testing.assert_allclose(soft_dice(0 * maps, 0 * maps), 1)


@pytest.mark.parametrize("ndim", [2, 3])
def test_garbage_outside_the_mask_changes_nothing(ndim, rng):
    fixed, moved = rng.random((2, *SHAPES[ndim]), dtype="float32")
    mask = (rng.random((*SHAPES[ndim][:-1], 1)) < 0.6).astype("float32")
    expected = soft_dice(mask * fixed, mask * moved)
    garbage = np.where(mask > 0, moved, rng.uniform(0, 9, moved.shape))
    np.testing.assert_allclose(soft_dice(fixed, garbage, mask), expected, rtol=1e-5)
    assert np.abs(soft_dice(fixed, garbage) - expected).min() > 0.01


def test_descent_recovers_a_shift():
    """Of a structure of which a quarter overlaps at first."""
    size, shift = (24, 20), np.array([3.0, -4.0])
    indices = np.stack(np.indices(size), -1)
    fixed, moving = (
        np.exp(-(np.linalg.norm(indices - centre, axis=-1) ** 2) / 18)
        for centre in ((11, 10), np.array([11, 10]) + shift)
    )
    fixed, moving = (np.float32(x)[None, ..., None] for x in (fixed, moving))
    found = tf.Variable(tf.zeros(2))
    for _ in range(60):
        with tf.GradientTape() as tape:
            ddf = tf.zeros((1, *size, 2)) + found
            loss = 1 - soft_dice(fixed, Warp(fill_value=0.0)(moving, ddf))[0]
        found.assign_sub(8 * tape.gradient(loss, found))
    np.testing.assert_allclose(found, shift, atol=0.05)


def test_an_absent_structure_has_no_gradient(rng):
    fixed = one_hot(rng.integers(0, 3, (1, 8, 8)), 3)  # the third is absent
    moved = tf.constant(one_hot(rng.integers(0, 3, (1, 8, 8)), 3))
    with tf.GradientTape() as tape:
        tape.watch(moved)
        overlap = soft_dice(fixed, moved)
    gradient = np.array(tape.gradient(overlap, moved))
    assert np.isfinite(gradient).all()
    assert np.abs(gradient[..., :2]).max() > 0
    np.testing.assert_array_equal(gradient[..., 2], 0)
