"""Which voxels of averaged and warped images come from a mask's inside alone."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.errors import InputError
from dlir_tf.layers.pooling import average_pool
from dlir_tf.layers.warp import Warp
from dlir_tf.losses.masks import check_mask, pool_mask, warp_mask

SIZES = {2: (16, 24), 3: (12, 16, 20)}


def ball(size, middle=None, radius=0.42):
    """A mask, `(1, *size, 1)`."""
    middle = np.array(middle or [0.5] * len(size))
    places = (np.stack(np.indices(size), -1) + 0.5) / size - middle
    inside = np.linalg.norm(places, axis=-1) < radius
    return inside[None, ..., None].astype(np.float32)


def with_garbage(rng, image, mask):
    return np.where(mask > 0, image, rng.uniform(-50, 50, image.shape)).astype("f4")


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_mean_counts_where_all_its_voxels_are_inside(ndim, rng):
    size, factor = SIZES[ndim], (2, 4, 1)[:ndim]
    mask = ball(size)
    pooled = pool_mask(tf.constant(mask), factor).numpy()
    shape = [n for size, r in zip(size, factor, strict=True) for n in (size // r, r)]
    blocks = mask.reshape(shape).min(axis=tuple(range(1, 2 * ndim, 2)))
    np.testing.assert_array_equal(pooled[0, ..., 0], blocks)
    image = rng.uniform(size=mask.shape)
    one, other = (
        average_pool(tf.constant(with_garbage(rng, image, mask)), factor)
        for _ in range(2)
    )
    np.testing.assert_array_equal(pooled * one, pooled * other)
    assert 0 < pooled.sum() < mask.sum() / np.prod(factor)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_warped_voxel_counts_where_all_it_comes_from_is_inside(ndim, rng):
    mask = ball(SIZES[ndim])
    ddf = rng.uniform(-3, 3, (1, *SIZES[ndim], ndim)).astype(np.float32)
    warped = warp_mask(tf.constant(mask), tf.constant(ddf)).numpy()
    image = rng.uniform(size=mask.shape)
    one, other = (Warp()(with_garbage(rng, image, mask), ddf) for _ in range(2))
    # A corner of a cell may be inside the threshold's thousandth.
    assert np.abs(warped * (one - other)).max() < 100 * 1e-3
    assert set(np.unique(warped)) == {0, 1}
    # Where it doesn't count, something from outside does show.
    same = np.abs(one - other) < 1e-4
    assert (warped[same] == 1).mean() > 0.9


def test_a_shift_by_whole_voxels_moves_the_mask_like_a_slice():
    mask = ball((16, 24))
    ddf = tf.zeros((1, 16, 24, 2)) + tf.constant([3.0, -2.0])
    moved = warp_mask(tf.constant(mask), ddf).numpy()
    np.testing.assert_array_equal(moved[:, :-3, 2:], mask[:, 3:, :-2])


def test_no_gradient_flows_through_a_mask(rng):
    ddf = tf.constant(rng.uniform(-1, 1, (1, 16, 24, 2)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(ddf)
        moved = warp_mask(tf.constant(ball((16, 24))), ddf)
    assert tape.gradient(moved, ddf) is None


def test_a_mask_too_thin_for_a_stage_is_refused():
    mask = np.zeros((16, 24), bool)
    mask[3:6, 2:20] = True
    check_mask(mask, "fixed_mask", [(2, 8), (1, 1)])
    with pytest.raises(InputError, match=r"^moving_mask is .* stage 2.* 4 × 2 voxels"):
        check_mask(mask, "moving_mask", [(2, 2), (4, 2), (8, 8)])
