"""Kernels that warp, against the layers and their gradients."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.kernels.channels import squared_differences
from dlir_tf.kernels.sampling import compose, warp, warp_with_slopes
from dlir_tf.layers import Compose, Warp
from dlir_tf.losses import mse

# Of one voxel along an axis, too.
SIZES = [(9, 14), (1, 6), (7, 11, 5), (6, 1, 9)]


def field(rng, size):
    """That leads out of the image here and there."""
    return rng.normal(0, 2.5, (*size, len(size))).astype("float32")


@pytest.mark.parametrize("size", SIZES)
def test_warped_images_and_their_slopes_are_those_of_the_layer(rng, size):
    image, ddf = rng.random(size, dtype="float32"), field(rng, size)
    upstream = rng.normal(size=size).astype("float32")
    tensor = tf.constant(ddf[None])
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        expected = Warp()(image[None, ..., None], tensor)
        total = tf.reduce_sum(expected * upstream[None, ..., None])
    gradient = tape.gradient(total, tensor)[0].numpy()
    moved, slopes, nothing = warp_with_slopes(image, ddf)
    assert nothing is None
    np.testing.assert_allclose(moved, expected[0, ..., 0], atol=1e-5)
    np.testing.assert_allclose(slopes * upstream[..., None], gradient, atol=1e-5)


def test_voxels_that_do_not_count_are_left_out(rng):
    size = SIZES[2]
    image, ddf = rng.random(size, dtype="float32"), field(rng, size)
    weights = (rng.random(size) < 0.5).astype("float32")
    whole, found = (
        warp_with_slopes(image, ddf),
        warp_with_slopes(image, ddf, weights=weights),
    )
    np.testing.assert_array_equal(found[0], whole[0] * weights)
    np.testing.assert_array_equal(found[1], whole[1] * weights[..., None])


@pytest.mark.parametrize("size", SIZES)
def test_masks_and_fields_are_warped_like_images(rng, size):
    ddf, outer = field(rng, size), field(rng, size)
    mask = (rng.random(size) < 0.5).astype("float32")
    expected = Warp()(mask[None, ..., None], ddf[None])[0]
    *_, warped = warp_with_slopes(mask, ddf, mask)
    np.testing.assert_allclose(warped, expected[..., 0], atol=1e-5)
    np.testing.assert_allclose(warp(mask[..., None], ddf), expected, atol=1e-5)
    composed = Compose()(outer[None], ddf[None])[0]
    np.testing.assert_allclose(compose(outer, ddf), composed, atol=1e-5)


def test_nothing_moved_is_exactly_the_image_and_a_voxel_s_shift_a_slice(rng):
    image = rng.random((5, 7, 3), dtype="float32")
    ddf = np.zeros((5, 7, 3, 3), "float32")
    np.testing.assert_array_equal(warp_with_slopes(image, ddf)[0], image)
    ddf[..., 1] = 1
    np.testing.assert_array_equal(warp_with_slopes(image, ddf)[0][:, :-1], image[:, 1:])


def test_what_leads_nowhere_takes_no_voxel_from_elsewhere_in_memory():
    ddf = np.full((3, 4, 2), np.nan, "float32")
    ddf[0] = np.inf
    ddf[1] = -np.inf
    moved, slopes, _ = warp_with_slopes(np.ones((3, 4), "float32"), ddf)
    assert (slopes[np.isfinite(slopes)] == 0).all()
    assert (moved[:2] == 1).all()


@pytest.mark.parametrize("size", SIZES)
def test_channels_are_compared_as_by_the_loss(rng, size):
    fixed, moving = rng.random((2, *size, 5), dtype="float32")
    weights, ddf = rng.random(size, dtype="float32"), field(rng, size)
    tensor = tf.constant(ddf[None])
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        moved = Warp()(moving[None], tensor)
        expected = mse(fixed[None], moved, weights[None, ..., None])[0]
    gradient = tape.gradient(expected, tensor)[0].numpy()
    loss, slopes = squared_differences(fixed, moving, weights, ddf)
    assert loss == pytest.approx(float(expected), rel=1e-4)
    np.testing.assert_allclose(slopes, gradient, atol=1e-4 * np.abs(gradient).max())
