"""MIND-SSC: a NumPy version, known points, invariances, masks, gradients."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.compute.compilation import without_islands
from dlir_tf.losses import mind_ssc, similarity_loss

SIZES = {2: (13, 11), 3: (7, 10, 6)}
SETTINGS = [(1, 2), (0, 1), (2, 1)]


def numpy_descriptors(image, inside, radius, dilation):
    """Of one image, `(*size, pairs)`, voxel by voxel from the definition."""
    ndim, reach = image.ndim, radius + dilation
    padded = np.pad(image.astype(float), reach, mode="edge")
    axes = np.eye(ndim, dtype=int)
    steps = dilation * np.concatenate([axes, -axes])
    pairs = [(a, b) for a, b in itertools.combinations(steps, 2) if np.dot(a, b) == 0]
    assert len(pairs) == {2: 4, 3: 12}[ndim]

    def patch(middle):
        return padded[tuple(slice(p - radius, p + radius + 1) for p in middle)]

    distances = np.zeros((*image.shape, len(pairs)))
    for voxel in np.ndindex(image.shape):
        middle = np.array(voxel) + reach
        for index, (one, other) in enumerate(pairs):
            difference = patch(middle + one) - patch(middle + other)
            distances[(*voxel, index)] = np.mean(difference**2)
    distances -= distances.min(-1, keepdims=True)
    variance = distances.mean(-1)
    typical = variance[inside].mean()
    variance = np.clip(variance, 1e-3 * typical, 1e3 * typical)
    return np.exp(-distances / variance[..., None])


def numpy_mind(fixed, moved, radius, dilation, mask=None):
    values = []
    for index in range(len(fixed)):
        inside = np.ones(fixed.shape[1:-1], bool)
        if mask is not None:
            reach = radius + dilation
            near = np.pad(mask[index, ..., 0] > 0, reach, mode="edge")
            windows = np.lib.stride_tricks.sliding_window_view(
                near, (2 * reach + 1,) * inside.ndim
            )
            inside = windows.all(axis=tuple(range(-inside.ndim, 0)))
        first, second = (
            numpy_descriptors(image[index, ..., 0], inside, radius, dilation)
            for image in (fixed, moved)
        )
        values.append(np.mean((first - second)[inside] ** 2))
    return values


def pair(rng, scene, ndim):
    """Different modalities; the second sample has hardly anything in common."""
    fixed = scene(SIZES[ndim], 2, sigma=1.0)
    moved = np.abs(fixed - 0.4) + 0.02 * rng.random(fixed.shape)
    moved[1] = 0.2 * moved[1] + 0.8 * rng.random(moved[1].shape)
    return fixed, moved.astype(np.float32)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize(("radius", "dilation"), SETTINGS)
def test_value_of_each_sample_agrees_with_numpy(radius, dilation, ndim, rng, scene):
    fixed, moved = pair(rng, scene, ndim)
    with without_islands():
        value = mind_ssc(fixed, moved, radius, dilation).numpy()
    np.testing.assert_allclose(
        value, numpy_mind(fixed, moved, radius, dilation), rtol=1e-3
    )
    assert value.shape == (2,)
    assert value[1] > value[0] + 0.01
    if (radius, dilation) == (1, 2):
        compiled = mind_ssc(fixed, moved, radius, dilation)
        np.testing.assert_allclose(compiled, value, rtol=1e-4)


@without_islands()
@pytest.mark.parametrize("ndim", [2, 3])
def test_garbage_outside_the_mask_changes_nothing(ndim, rng, scene):
    fixed, moved = pair(rng, scene, ndim)
    mask = np.ones(fixed.shape, np.float32)
    mask[0, :2] = 0
    mask[1, :, -1] = mask[1, 0, 0] = 0
    value = mind_ssc(fixed, moved, 0, 1, mask=mask).numpy()
    np.testing.assert_allclose(value, numpy_mind(fixed, moved, 0, 1, mask), rtol=1e-3)
    garbage = rng.uniform(-50, 50, fixed.shape)
    spoilt = [np.float32(np.where(mask > 0, x, garbage)) for x in (fixed, moved)]
    np.testing.assert_allclose(mind_ssc(*spoilt, 0, 1, mask=mask), value, rtol=1e-5)
    assert np.abs(mind_ssc(*spoilt, 0, 1) / value - 1).min() > 0.05
    weighted = mind_ssc(fixed, moved, 0, 1, mask=0.5 * mask)
    np.testing.assert_allclose(weighted, value, rtol=1e-5)


@without_islands()
@pytest.mark.parametrize("ndim", [2, 3])
def test_known_points(ndim, rng, scene):
    image = scene(SIZES[ndim], 2, sigma=1.0)
    np.testing.assert_array_equal(mind_ssc(image, image), 0)
    for same in (1 - image, 0.3 * image, 2 * image + 0.5):
        np.testing.assert_allclose(mind_ssc(image, same), 0, atol=1e-5)
    shuffled = rng.permuted(image.reshape(2, -1), axis=1).reshape(image.shape)
    assert np.all(np.array(mind_ssc(image, shuffled)) > 0.03)
    near, far = (mind_ssc(image, np.roll(image, n, axis=1))[0] for n in (1, 2))
    assert 0.003 < near < far < 1


def test_channels_are_compared_one_by_one(rng, scene):
    fixed, moved = pair(rng, scene, 2)
    both = [np.concatenate([x, x[::-1]], axis=-1) for x in (fixed, moved)]
    order = [np.concatenate([x[::-1], x], axis=-1) for x in (fixed, moved)]
    value = mind_ssc(*both)
    np.testing.assert_allclose(value, mind_ssc(*order), rtol=1e-5)
    one, other = mind_ssc(fixed, moved)
    assert min(one, other) < value[0] < max(one, other)


@without_islands()
@pytest.mark.parametrize("constant", [0.0, 0.7])
def test_constant_images_keep_values_and_gradients_finite(constant, scene):
    image = tf.constant(scene((12, 10), 2))
    flat = tf.fill(image.shape, constant)
    for images in ((image, flat), (flat, image), (flat, flat)):
        with tf.GradientTape() as tape:
            tape.watch(images)
            value = mind_ssc(*images)
        assert np.isfinite(value).all()
        for gradient in tape.gradient(value, images):
            assert np.isfinite(gradient).all()
    np.testing.assert_array_equal(value, 0)
    nothing = mind_ssc(image, 1 - image**2, mask=tf.zeros_like(image))
    np.testing.assert_array_equal(nothing, 0)


@pytest.mark.parametrize("ndim", [2, 3])
def test_gradient(ndim, rng, scene, assert_gradient_is_right):
    fixed, moved = pair(rng, scene, ndim)
    assert_gradient_is_right(mind_ssc, fixed, moved)


@pytest.mark.parametrize("shift", [(2.3, -1.6), (1.4, -2.2, 0.7)])
def test_a_shift_between_modalities_is_recovered(shift, recover_shift):
    found = recover_shift(similarity_loss("mind_ssc"), shift, rate=0.15)
    np.testing.assert_allclose(found, shift, atol=0.15)


@pytest.mark.parametrize("options", [{"radius": -1}, {"dilation": 0}])
def test_settings_that_make_no_sense_are_refused(options, scene):
    image = scene((8, 8))
    with pytest.raises(ValueError, match="mind_ssc: radius must be at least 0"):
        mind_ssc(image, image, **options)
