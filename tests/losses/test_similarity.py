"""Similarities: known points, NumPy versions, masks, and one value per sample."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.losses import mind_ssc, mse, ncc, nmi, similarity_loss, windowed_ncc

SHAPES = {2: (2, 9, 7, 1), 3: (2, 5, 8, 6, 2)}
WINDOW = 3
CORRELATIONS = {
    "ncc": ncc,
    "windowed_ncc": lambda fixed, moved, mask=None: windowed_ncc(
        fixed, moved, WINDOW, mask
    ),
}
ALL = {**CORRELATIONS, "mse": mse}


def _pair(rng, ndim):
    """Two images that have something in common, a different amount per sample."""
    fixed = rng.random(SHAPES[ndim], dtype="float32")
    share = np.reshape([0.8, 0.2], (2, *[1] * (ndim + 1)))
    moved = share * fixed + (1 - share) * rng.random(SHAPES[ndim])
    return fixed, moved.astype("float32")


def _numpy_ncc(fixed, moved, mask):
    values = []
    for f, m, w in zip(fixed, moved, mask, strict=True):
        values.append(np.corrcoef(f[w].astype(float), m[w].astype(float))[0, 1])
    return values


def _numpy_windowed_ncc(fixed, moved, mask):
    """Straight from the definition: a loop over voxels, with windows cut off."""
    values = np.zeros(fixed.shape)
    for b, *voxel, c in np.ndindex(fixed.shape):
        window = tuple(
            slice(max(0, p - WINDOW // 2), p + WINDOW // 2 + 1) for p in voxel
        )
        inside = mask[(b, *window, c)]
        f, m = (x[(b, *window, c)][inside].astype(float) for x in (fixed, moved))
        if mask[(b, *voxel, c)] and len(f) > 1:
            values[(b, *voxel, c)] = np.corrcoef(f, m)[0, 1]
    return [v[w].mean() for v, w in zip(values, mask, strict=True)]


def _numpy_mse(fixed, moved, mask):
    squares = (fixed.astype(float) - moved) ** 2
    return [s[w].mean() for s, w in zip(squares, mask, strict=True)]


JUDGES = {"ncc": _numpy_ncc, "windowed_ncc": _numpy_windowed_ncc, "mse": _numpy_mse}


def _mask(rng, ndim):
    """Most voxels, so that no window holds a single one; the same in all channels."""
    mask = rng.random((*SHAPES[ndim][:-1], 1)) < 0.9
    return mask.astype("float32"), np.broadcast_to(mask, SHAPES[ndim])


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kind", ALL)
def test_value_of_each_sample_agrees_with_numpy(kind, ndim, rng):
    fixed, moved = _pair(rng, ndim)
    value = ALL[kind](fixed, moved).numpy()
    everywhere = np.ones(fixed.shape, bool)
    np.testing.assert_allclose(value, JUDGES[kind](fixed, moved, everywhere), atol=5e-4)
    assert value.shape == (2,)
    assert abs(value[0] - value[1]) > 0.02


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kind", ALL)
def test_voxels_outside_the_mask_do_not_count(kind, ndim, rng):
    fixed, moved = _pair(rng, ndim)
    mask, inside = _mask(rng, ndim)
    value = ALL[kind](fixed, moved, mask=mask).numpy()
    np.testing.assert_allclose(value, JUDGES[kind](fixed, moved, inside), atol=5e-4)
    junk = rng.normal(0, 100, fixed.shape).astype("float32")
    changed = ALL[kind](
        np.where(inside, fixed, junk), np.where(inside, moved, -2 * junk), mask=mask
    )
    np.testing.assert_allclose(changed, value, atol=1e-6)
    unmasked = ALL[kind](np.where(inside, fixed, junk), moved).numpy()
    assert np.abs(unmasked - value).min() > 0.02


@pytest.mark.parametrize("kind", ALL)
def test_samples_do_not_know_each_other(kind, rng):
    """Samples of very different brightness: a mean over the minibatch would show."""
    fixed, moved = _pair(rng, 2)
    scale = np.reshape([1, 20], (2, 1, 1, 1)).astype("float32")
    fixed, moved = fixed * scale + 5 * scale, moved * scale
    together = ALL[kind](fixed, moved).numpy()
    alone = [ALL[kind](fixed[b : b + 1], moved[b : b + 1])[0] for b in range(2)]
    np.testing.assert_allclose(together, alone, rtol=1e-5)


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("kind", CORRELATIONS)
def test_correlation_of_identical_and_negated_images(kind, ndim, rng):
    correlation = CORRELATIONS[kind]
    image, _ = _pair(rng, ndim)
    np.testing.assert_allclose(correlation(image, image), [1, 1], atol=2e-4)
    np.testing.assert_allclose(correlation(image, 3 - 2 * image), [-1, -1], atol=2e-4)


@pytest.mark.parametrize("kind", CORRELATIONS)
@pytest.mark.parametrize("constant", [0.0, 0.7])
def test_constant_images_correlate_with_nothing_and_keep_gradients_finite(
    kind, constant, rng
):
    """A patch of air, say: it must not turn a training run into NaN."""
    image = tf.constant(_pair(rng, 2)[0])
    flat = tf.fill(image.shape, constant)
    for pair in ((image, flat), (flat, image), (flat, flat)):
        with tf.GradientTape() as tape:
            tape.watch(pair)
            value = CORRELATIONS[kind](*pair)
        np.testing.assert_allclose(value, [0, 0], atol=1e-4)
        for gradient in tape.gradient(value, pair):
            assert np.isfinite(gradient).all()


@pytest.mark.parametrize("kind", ALL)
def test_empty_mask_gives_a_finite_value(kind, rng):
    fixed, moved = _pair(rng, 2)
    value = ALL[kind](fixed, moved, mask=np.zeros_like(fixed)).numpy()
    np.testing.assert_allclose(value, [0, 0], atol=1e-6)


def test_windowed_correlation_forgives_slow_changes_of_brightness(rng):
    image = rng.random((1, 24, 24, 1), dtype="float32")
    ramp = np.linspace(0, 4, 24, dtype="float32")[:, None, None]
    assert windowed_ncc(image, image + ramp, window=3)[0] > 0.75
    assert ncc(image, image + ramp)[0] < 0.4


def test_loss_is_zero_for_equal_images(rng):
    image, other = _pair(rng, 2)
    for kind in ("ncc", "windowed_ncc", "mse", "mind_ssc"):
        loss = similarity_loss(kind, window=WINDOW)
        np.testing.assert_allclose(loss(image, image), [0, 0], atol=2e-4)
        assert np.all(loss(image, other).numpy() > 0.002)


def test_loss_hands_on_window_and_mask(rng):
    fixed, moved = _pair(rng, 2)
    mask, _ = _mask(rng, 2)
    for kind, similarity in CORRELATIONS.items():
        loss = similarity_loss(kind, window=WINDOW)(fixed, moved, mask)
        np.testing.assert_array_equal(loss, 1 - similarity(fixed, moved, mask=mask))


def test_loss_hands_on_the_settings_of_each_kind(rng):
    fixed, moved = _pair(rng, 2)
    mask = np.ones_like(fixed)
    mask[:, :2] = 0
    loss = similarity_loss("nmi", bins=9, samples=20)
    expected = 2 - nmi(fixed, moved, bins=9, samples=20, mask=mask)
    np.testing.assert_array_equal(loss(fixed, moved, mask), expected)
    loss = similarity_loss("mind_ssc", radius=0, dilation=1)
    expected = mind_ssc(fixed, moved, radius=0, dilation=1, mask=mask)
    np.testing.assert_array_equal(loss(fixed, moved, mask), expected)


def test_unknown_loss_is_named():
    with pytest.raises(ValueError, match=r"mind_ssc.*ncc.*windowed_ncc.*'mi'"):
        similarity_loss("mi")
