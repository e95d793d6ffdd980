"""NMI: known points, a NumPy version, invariances, sampling, masks, gradients."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.interpolate import BSpline

from dlir_tf.compute.compilation import without_islands
from dlir_tf.losses import nmi, similarity_loss

SIZES = {2: (19, 14), 3: (9, 12, 7)}
BINS = 16


def entropy(shares):
    shares = shares[shares > 0]
    return -np.sum(shares * np.log2(shares))


def numpy_nmi(fixed, moved, inside, bins=BINS):
    """From the definition, with SciPy's splines as windows."""
    window = BSpline.basis_element(np.arange(-2.0, 3.0), extrapolate=False)
    values = []
    for f, m, chosen in zip(fixed, moved, inside, strict=True):
        windows = []
        for image in (f, m):
            image = image[chosen].astype(float)
            image = (image - image.min()) / np.ptp(image)
            places = 1 + (bins - 3) * image
            windows.append(np.nan_to_num(window(places[:, None] - np.arange(bins))))
        joint = np.einsum("ni,nj->ij", *windows) / chosen.sum()
        apart = entropy(joint.sum(0)) + entropy(joint.sum(1))
        values.append(apart / entropy(joint.ravel()))
    return values


def pair(rng, scene, ndim):
    """Different modalities; the second sample has hardly anything in common."""
    fixed = scene(SIZES[ndim], 2)
    moved = np.abs(fixed - 0.4) + 0.02 * rng.random(fixed.shape)
    moved[1] = 0.2 * moved[1] + 0.8 * rng.random(moved[1].shape)
    return fixed, moved.astype(np.float32)


@pytest.mark.parametrize("ndim", [2, 3])
def test_value_of_each_sample_agrees_with_numpy(ndim, rng, scene):
    fixed, moved = pair(rng, scene, ndim)
    value = nmi(fixed, moved, BINS).numpy()
    everywhere = np.ones(fixed.shape, bool)
    np.testing.assert_allclose(value, numpy_nmi(fixed, moved, everywhere), atol=1e-4)
    assert value.shape == (2,)
    assert value[0] > value[1] + 0.1
    with without_islands():
        np.testing.assert_allclose(nmi(fixed, moved, BINS), value, atol=1e-5)


@without_islands()
@pytest.mark.parametrize("ndim", [2, 3])
def test_garbage_outside_the_mask_changes_nothing(ndim, rng, scene):
    fixed, moved = pair(rng, scene, ndim)
    mask = rng.random(fixed.shape) < 0.7
    value = nmi(fixed, moved, BINS, mask=mask).numpy()
    np.testing.assert_allclose(value, numpy_nmi(fixed, moved, mask), atol=1e-4)
    garbage = rng.uniform(-50, 50, fixed.shape)
    spoilt = [np.float32(np.where(mask, x, garbage)) for x in (fixed, moved)]
    np.testing.assert_allclose(nmi(*spoilt, BINS, mask=mask), value, atol=1e-6)
    assert np.abs(nmi(*spoilt, BINS) - value).min() > 0.02


@pytest.mark.parametrize("ndim", [2, 3])
def test_known_points(ndim, rng, scene):
    """Which intensity is which doesn't matter, only which ones go together."""
    image = scene(SIZES[ndim], 2)
    same = np.array(nmi(image, image, BINS))
    np.testing.assert_allclose(nmi(image, 3 - 2 * image, BINS), same, atol=1e-4)
    np.testing.assert_allclose(nmi(5 * image - 1, image, BINS), same, atol=1e-4)
    np.testing.assert_allclose(nmi(image, image**1.5, BINS), same, atol=0.05)
    shuffled = rng.permuted(image.reshape(2, -1), axis=1).reshape(image.shape)
    far = np.array(nmi(image, shuffled, BINS))
    assert np.all(far < 1 + 0.3 * (same - 1))
    assert np.all(far >= 1)
    assert np.all(same > 1.25)


@without_islands()
def test_few_intensities_approach_certainty_in_many_bins(rng):
    few = rng.integers(0, 5, (1, 60, 50, 1)).astype(np.float32)
    values = [float(nmi(few, few**2, bins)[0]) for bins in (8, 32, 256)]
    assert values == sorted(values)
    # Five values in windows of no joint bins: H(F) = log 5 + h, H(F, M) = log 5 + 2 h,
    # where h is the entropy of one window.
    window = np.array([1, 4, 1]) / 6
    h = -np.sum(window * np.log(window))
    ideal = 2 * (np.log(5) + h) / (np.log(5) + 2 * h)
    exact = nmi(few, few, 4 * 8 + 3)  # its values lie in the middle of bins
    np.testing.assert_allclose(exact, ideal, atol=1e-3)


@without_islands()
def test_samples_are_spread_over_rows_and_columns(scene):
    """Also where blocks of voxels and rows of the image are in step."""
    fixed, moved = scene((48, 64)), tf.constant(scene((48, 64)))
    with tf.GradientTape() as tape:
        tape.watch(moved)
        value = nmi(fixed, moved, BINS, samples=384)
    sampled = np.array(tape.gradient(value, moved))[0, ..., 0] != 0
    assert 370 < sampled.sum() <= 384
    np.testing.assert_allclose(sampled.sum(axis=1), 8, atol=2)
    np.testing.assert_allclose(sampled.sum(axis=0), 6, atol=6)
    assert (sampled.sum(axis=0) > 0).mean() > 0.95


@without_islands()
@pytest.mark.parametrize("samples", [1, 200, 500, 1000])
def test_never_more_samples_than_asked_for(samples, scene):
    """So many voxels, at most, have an influence; and always the same ones."""
    fixed, moved = scene((24, 30)), tf.constant(scene((24, 30)))
    gradients = []
    for _ in range(2):
        with tf.GradientTape() as tape:
            tape.watch(moved)
            value = nmi(fixed, moved, BINS, samples)
        gradients.append(np.array(tape.gradient(value, moved)))
    np.testing.assert_array_equal(*gradients)
    assert np.count_nonzero(gradients[0]) <= samples
    if samples >= 200:
        assert np.count_nonzero(gradients[0]) >= min(samples, 720) / 2 - 2


@without_islands()
@pytest.mark.parametrize("constant", [0.0, 0.7])
def test_a_constant_image_tells_nothing_and_keeps_gradients_finite(constant, scene):
    image = tf.constant(scene((12, 10), 2))
    flat = tf.fill(image.shape, constant)
    for images in ((image, flat), (flat, image), (flat, flat)):
        with tf.GradientTape() as tape:
            tape.watch(images)
            value = nmi(*images, BINS)
        np.testing.assert_allclose(value, 1, atol=1e-5)
        for gradient in tape.gradient(value, images):
            assert np.isfinite(gradient).all()


def test_an_empty_mask_gives_a_finite_value_and_gradient(scene):
    image = tf.constant(scene((12, 10), 2))
    with tf.GradientTape() as tape:
        tape.watch(image)
        value = nmi(image, image, BINS, mask=tf.zeros_like(image))
    np.testing.assert_allclose(value, 1)
    np.testing.assert_array_equal(tape.gradient(value, image), 0)


@pytest.mark.parametrize("ndim", [2, 3])
def test_gradient(ndim, rng, scene, assert_gradient_is_right):
    fixed, _ = pair(rng, scene, ndim)
    axes = tuple(range(1, ndim + 1))
    moved = np.abs(fixed - 0.4) + 0.1 * scene(SIZES[ndim], 2)
    moved = (moved - moved.min(axes, keepdims=True)) / np.ptp(
        moved, axes, keepdims=True
    )
    assert_gradient_is_right(lambda f, m: nmi(f, m, BINS), fixed, np.float32(moved))


@pytest.mark.parametrize("shift", [(2.3, -1.6), (1.4, -2.2, 0.7)])
def test_a_shift_between_modalities_is_recovered(shift, recover_shift):
    found = recover_shift(similarity_loss("nmi"), shift, rate=0.15)
    np.testing.assert_allclose(found, shift, atol=0.1)


@pytest.mark.parametrize("options", [{"bins": 3}, {"samples": 0}])
def test_settings_that_make_no_sense_are_refused(options, scene):
    image = scene((8, 8))
    with pytest.raises(ValueError, match="nmi: bins must be at least 4"):
        nmi(image, image, **options)
