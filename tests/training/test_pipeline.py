"""Batches: known contents, in an order that only the seed and the step know."""

from dataclasses import replace

import numpy as np
import pytest

from dlir_tf.images import Image, write_image
from dlir_tf.training.pipeline import pad_sample, training_batches
from dlir_tf.training.store import PairStore


@pytest.fixture
def store(make_pairs, make_config, tmp_path):
    pairs = make_pairs(5, shapes=((32, 24), (24, 40)))
    store = PairStore(pairs, make_config(), tmp_path / "cache")
    store.fill()
    return store


def batches(store, **changes):
    arguments = {
        "size": (32, 40),
        "batch_size": 2,
        "seed": (3, 0),
        "first_step": 0,
        "last_step": 10,
        **changes,
    }
    return list(training_batches(store, **arguments).as_numpy_iterator())


def assert_same(some, others):
    for a, b in zip(some, others, strict=True):
        for name, array in a.items():
            np.testing.assert_array_equal(array, b[name])


def which(store, image):
    """Index of the pair that a padded fixed image belongs to."""
    for index in range(len(store)):
        fixed = store.load(index).fixed
        window = tuple(slice(0, n) for n in fixed.shape)
        if np.array_equal(image[..., 0][window], fixed.astype(np.float32)):
            return index
    pytest.fail("an image of no pair")


def test_pairs_of_different_shapes_share_a_batch(store):
    found = batches(store)
    assert len(found) == 10
    for step, batch in enumerate(found):
        assert batch["fixed"].shape == (2, 32, 40, 1)
        assert batch["fixed"].dtype == np.float32
        assert list(batch["step"]) == [step, step]
        np.testing.assert_array_equal(batch["spacing"], [[1.5, 2.0]] * 2)
        for image, mask, extent in zip(
            batch["moving"], batch["mask"], batch["extent"], strict=True
        ):
            inside = np.zeros((32, 40, 1))
            inside[: extent[0], : extent[1]] = 1
            np.testing.assert_array_equal(mask, inside)
            assert (image[inside == 0] == 0).all()


def test_masks_come_with_the_batches_if_any_pair_has_one(
    store, make_pairs, make_config, tmp_path
):
    """A pair without the mask counts as a whole, and so does its padding."""
    assert not any("_mask" in name for name in batches(store)[0])
    inside = np.zeros((32, 24), np.uint8)
    inside[3:29, 2:20] = 1
    path = tmp_path / "mask.nii"
    write_image(path, Image(inside, np.diag([1.5, 2.0, 1.0])))
    first, second = make_pairs(2, shapes=((32, 24), (24, 40)))
    masked = PairStore(
        [replace(first, moving_mask=path), second], make_config(), tmp_path / "cache"
    )
    masked.fill()
    seen = set()
    for batch in batches(masked):
        assert "fixed_mask" not in batch
        assert batch["moving_mask"].dtype == np.float32
        for image, mask in zip(batch["fixed"], batch["moving_mask"], strict=True):
            expected = np.ones((32, 40, 1))
            index = which(masked, image)
            if index == 0:
                expected[..., 0] = np.pad(inside, ((0, 0), (0, 16)))
            np.testing.assert_array_equal(mask, expected)
            seen.add(index)
    assert seen == {0, 1}
    whole = pad_sample(masked.load(0), (32, 40))
    np.testing.assert_array_equal(whole["moving_mask"][0, :, :24, 0], inside)
    assert "moving_mask" not in pad_sample(masked.load(1), (32, 40))


def test_masks_are_cropped_with_their_images(make_pairs, make_config, tmp_path):
    """The mask is 1 where the image is bright: so it stays."""
    pair = make_pairs(1, labels=True)[0]
    pair = replace(pair, fixed_mask=pair.fixed_labels, moving_mask=pair.moving_labels)
    store = PairStore([pair], make_config(), tmp_path / "cache")
    store.fill()
    limits = []
    for batch in batches(store, size=(16, 8)):
        for side in ("fixed", "moving"):
            image, mask = batch[side], batch[f"{side}_mask"]
            assert mask.shape == image.shape
            limits.append((image[mask > 0].min(), image[mask == 0].max()))
    lowest, highest = np.array(limits).T
    assert lowest.min() > highest.max() - 0.1


def test_every_epoch_shows_every_pair_once_in_another_order(store):
    order = [which(store, x) for batch in batches(store) for x in batch["fixed"]]
    epochs = [order[start : start + 5] for start in range(0, 20, 5)]
    assert all(sorted(epoch) == [0, 1, 2, 3, 4] for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) > 1


def test_a_resumed_training_sees_the_batches_it_would_have_seen(store):
    size = (16, 16)
    whole = batches(store, size=size)
    assert_same(whole[7:], batches(store, size=size, first_step=7))
    assert batches(store, first_step=10) == []


def test_the_seed_decides(store):
    size = (16, 16)
    assert_same(batches(store, size=size), batches(store, size=size))
    for seed in ((4, 0), (3, 1)):
        other = batches(store, size=size, seed=seed)
        pairs = zip(batches(store, size=size), other, strict=True)
        assert any((a["fixed"] != b["fixed"]).any() for a, b in pairs)


def test_patches_are_cut_at_the_same_place_from_both_images(store):
    corners = set()
    for batch in batches(store, size=(16, 8), batch_size=1):
        fixed, moving = batch["fixed"][0, ..., 0], batch["moving"][0, ..., 0]
        assert batch["mask"].all()
        assert batch["extent"].tolist() == [[16, 8]]
        corners |= set(find(store, fixed, moving))
    assert len(corners) > 5


def find(store, fixed, moving):
    for index in range(len(store)):
        sample = store.load(index)
        views = np.lib.stride_tricks.sliding_window_view(sample.fixed, fixed.shape)
        for i, j in np.argwhere((views == fixed).all((-1, -2))):
            window = sample.moving[i : i + fixed.shape[0], j : j + fixed.shape[1]]
            np.testing.assert_array_equal(window, moving)
            yield index, int(i), int(j)


def test_patches_larger_than_an_image_are_padded_outside_the_mask(store):
    for batch in batches(store, size=(40, 16), batch_size=1):
        height = batch["extent"][0, 0]
        assert height in (32, 24)
        assert batch["mask"][0, :height].all()
        assert not batch["mask"][0, height:].any()
        assert not batch["fixed"][0, height:].any()


def test_a_whole_pair_is_padded_at_the_far_ends(store):
    sample = store.load(0)
    batch = pad_sample(sample, (40, 24))
    assert batch["moving"].shape == (1, 40, 24, 1)
    np.testing.assert_array_equal(batch["moving"][0, :32, :, 0], sample.moving)
    assert float(np.sum(batch["mask"])) == 32 * 24


def test_workers_read_their_own_rows_of_each_batch(store):
    whole = batches(store, batch_size=4, first_step=3)
    parts = [
        batches(store, batch_size=4, first_step=3, worker=worker, num_workers=2)
        for worker in range(2)
    ]
    together = [
        {name: np.concatenate([first[name], second[name]]) for name in first}
        for first, second in zip(*parts, strict=True)
    ]
    assert_same(whole, together)
