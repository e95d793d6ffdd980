"""Pairs are preprocessed once, all are checked, and no damaged cache is left."""

import errno
import json
import threading
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.images import Image, read_image, write_image
from dlir_tf.pairs.manifest import Pair
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.training import store as module
from dlir_tf.training.store import PairStore
from dlir_tf.training.workers import Workers


@pytest.fixture
def num_reads(monkeypatch):
    """Counts preprocessed pairs."""
    counts = []

    def counting(*arguments, **masks):
        counts.append(threading.current_thread().name)
        return prepare_pair(*arguments, **masks)

    monkeypatch.setattr("dlir_tf.pairs.loading.prepare_pair", counting)
    return lambda: len(counts)


def make_store(pairs, config, tmp_path, **options):
    store = PairStore(pairs, config, tmp_path / "cache", **options)
    store.fill()
    return store


def assert_same(a, b):
    assert vars(a).keys() == vars(b).keys()
    for name, value in vars(a).items():
        np.testing.assert_array_equal(value, getattr(b, name))


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_each_pair_is_preprocessed_once(
    cache, make_pairs, make_config, tmp_path, num_reads
):
    config = make_config(cache=cache)
    store = make_store(make_pairs(3, shapes=((32, 24), (21, 27))), config, tmp_path)
    again = [store.load(index) for index in (0, 1, 2, 2, 0)]
    assert num_reads() == 3
    assert (tmp_path / "cache").exists() == (cache == "disk")
    # 21 x 27 is padded to multiples of 8.
    assert [sample.shape for sample in again[:3]] == [(32, 24), (24, 32), (32, 24)]
    assert store.largest_shape == (32, 32)


def test_without_a_cache_nothing_is_kept(make_pairs, make_config, tmp_path, num_reads):
    store = make_store(make_pairs(2), make_config(cache="none"), tmp_path)
    store.load(1)
    assert num_reads() == 3
    assert not (tmp_path / "cache").exists()


def test_what_comes_from_disk_is_what_went_there(
    make_pairs, make_config, tmp_path, num_reads
):
    pairs, config = make_pairs(2, labels=True), make_config(cache="disk")
    fresh = make_store(pairs, make_config(cache="none"), tmp_path, with_labels=True)
    make_store(pairs, config, tmp_path, with_labels=True)
    before = num_reads()
    stored = make_store(pairs, config, tmp_path, with_labels=True)
    assert_same(stored.load(1), fresh.load(1))
    assert num_reads() == before + 1
    sample = stored.load(0)
    assert sample.spacing == pytest.approx([1.5, 2.0])
    assert sample.mask.all()
    bright = nib.load(pairs[0].fixed_labels).get_fdata()
    assert bright.mean() not in (0, 1)
    np.testing.assert_array_equal(sample.fixed_labels, bright)
    assert sample.fixed[bright > 0].min() > sample.fixed[bright == 0].max() - 0.01


def write_mask(path, rows, columns):
    """A mask of 32 x 24 voxels on the grid of `make_pairs`."""
    array = np.zeros((32, 24), np.uint8)
    array[rows, columns] = 1
    write_image(path, Image(array, np.diag([1.5, 2.0, 1.0])))
    return path


def test_slices_stored_as_3d_images_are_taken_in_their_plane(
    make_pairs, make_config, tmp_path
):
    """Images, labels and masks come to lie where those of 2-d files do."""
    (flat,) = make_pairs(1, labels=True)
    masks = {
        f"{side}_mask": write_mask(tmp_path / f"{side}_mask.nii", rows, columns)
        for side, rows, columns in (
            ("fixed", slice(2, 30), slice(3, 20)),
            ("moving", slice(5, 25), slice(1, 24)),
        )
    }
    flat = replace(flat, **masks)
    # The plane of the first two axes, upright in the world: coronal.
    upright = np.array([[1.5, 0, 0, 4], [0, 0, 5, -9], [0, 2, 0, 7], [0, 0, 0, 1.0]])
    files = {}
    for name in vars(flat):
        if name != "place" and getattr(flat, name) is not None:
            files[name] = tmp_path / f"{name}_slice.nii"
            array = np.asarray(nib.load(getattr(flat, name)).dataobj)
            write_image(files[name], Image(array[..., None], upright))
    stored = Pair(place="pairs.csv, line 2", **files)
    config = make_config()
    samples = [
        make_store([pair], config, tmp_path, with_labels=True).load(0)
        for pair in (flat, stored)
    ]
    assert samples[0].fixed_mask.sum() != samples[0].moving_mask.sum() > 0
    assert samples[0].fixed_labels.any()
    assert_same(*samples)


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_masks_are_kept_with_the_pairs_that_have_them(
    cache, make_pairs, make_config, tmp_path
):
    first, second, third = make_pairs(3)
    mask = write_mask(tmp_path / "mask.nii", slice(4, 20), slice(3, 9))
    pairs = [first, replace(second, moving_mask=mask), replace(third, fixed_mask=mask)]
    config = make_config(cache=cache)
    store = make_store(pairs, config, tmp_path)
    assert store.masks == ("fixed_mask", "moving_mask")
    assert make_store(pairs[:2], config, tmp_path).masks == ("moving_mask",)
    assert make_store(pairs[:1], config, tmp_path).masks == ()
    inside = np.zeros((32, 24), bool)
    inside[4:20, 3:9] = True
    for _ in range(2):
        plain, moving, fixed = (store.load(index) for index in range(3))
        np.testing.assert_array_equal(moving.moving_mask, inside)
        np.testing.assert_array_equal(fixed.fixed_mask, inside)
        assert plain.fixed_mask is plain.moving_mask is None
        assert fixed.moving_mask is moving.fixed_mask is None
        # Where both images have voxels, whatever the masks.
        assert moving.mask.all()
    # The same files in other columns: not what is cached.
    swapped = [replace(second, fixed_mask=mask)]
    assert make_store(swapped, config, tmp_path).load(0).moving_mask is None


def test_faulty_masks_are_named_with_their_lines(make_pairs, make_config, tmp_path):
    (pair,) = make_pairs(1)
    left = write_mask(tmp_path / "left.nii", slice(0, 32), slice(0, 9))
    right = write_mask(tmp_path / "right.nii", slice(0, 32), slice(9, 24))
    thin = write_mask(tmp_path / "thin.nii", slice(5, 6), slice(0, 24))
    empty = write_mask(tmp_path / "empty.nii", slice(0, 0), slice(0, 0))
    far = tmp_path / "far.nii"
    elsewhere = np.diag([1.5, 2.0, 1.0]) + 900.0 * np.eye(3, k=2)
    write_image(far, Image(np.ones((16, 24), np.uint8), elsewhere))
    faulty = [
        {"fixed_mask": far},
        {"moving_mask": empty},
        {"fixed_mask": left, "moving_mask": right},
        {"moving_mask": thin},
    ]
    pairs = [
        replace(pair, place=f"p.csv, line {number}", **masks)
        for number, masks in enumerate([{"fixed_mask": left}, *faulty], start=2)
    ]
    config = make_config("bspline")
    stage = config.stages[0].model_copy(update={"downsample": (2, 2)})
    config = config.model_copy(update={"stages": (stage,)})
    with pytest.raises(InputError) as caught:
        make_store(pairs, config, tmp_path)
    reasons = (
        "far.nii: masks must lie where their image lies",
        "empty.nii: every voxel of the mask is 0",
        "fixed_mask and moving_mask: no voxel of the working grid",
        "moving_mask is too thin for stage 1",
    )
    lines = str(caught.value).splitlines()
    for number, (line, reason) in enumerate(zip(lines, reasons, strict=True), start=3):
        assert line.startswith(f"p.csv, line {number}: ")
        assert reason in line


def test_the_cache_follows_contents_and_settings(
    make_pairs, make_config, tmp_path, num_reads
):
    pairs, config = make_pairs(1), make_config(cache="disk")
    first = make_store(pairs, config, tmp_path).load(0)
    darker = config.model_copy(
        update={
            "intensity": config.intensity.model_copy(
                update={"clip_percentiles": (5.0, 80.0)}
            )
        }
    )
    assert make_store(pairs, darker, tmp_path).load(0).fixed.mean() > first.fixed.mean()
    assert num_reads() == 2
    other = nib.load(pairs[0].moving).get_fdata(dtype=np.float32)[:, ::-1]
    write_image(pairs[0].fixed, Image(other, np.diag([1.5, 2.0, 1.0])))
    changed = make_store(pairs, config, tmp_path).load(0)
    np.testing.assert_allclose(changed.fixed, changed.moving[:, ::-1], atol=1e-3)
    assert num_reads() == 3
    coarser = config.model_copy(update={"spacing": (3.0, 4.0)})
    assert make_store(pairs, coarser, tmp_path).load(0).shape == (16, 16)


def test_contents_are_read_once_to_name_a_cached_pair(
    make_pairs, make_config, tmp_path, monkeypatch
):
    store = make_store(make_pairs(1), make_config(cache="disk"), tmp_path)
    monkeypatch.setattr(module, "data_digest", lambda pairs: pytest.fail("read again"))
    store.load(0)


def test_an_interrupted_write_leaves_nothing_that_could_be_read(
    make_pairs, make_config, tmp_path, monkeypatch
):
    pairs, config = make_pairs(1), make_config(cache="disk")

    def run_full(stream, **arrays):
        stream.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module.np, "savez", run_full)
        with pytest.raises(OSError, match="No space left"):
            make_store(pairs, config, tmp_path)
    assert list((tmp_path / "cache").iterdir()) == []
    store = make_store(pairs, config, tmp_path)
    assert store.load(0).shape == (32, 24)
    store.discard()
    assert not (tmp_path / "cache").exists()


def test_the_same_pair_twice_is_no_race(make_pairs, make_config, tmp_path):
    pairs = make_pairs(1) * 8
    store = make_store(pairs, make_config(cache="disk"), tmp_path)
    assert len(list((tmp_path / "cache").iterdir())) == 1
    assert_same(store.load(0), store.load(7))


def test_more_pairs_than_memory_holds_are_refused_at_once(
    make_pairs, make_config, tmp_path, monkeypatch, num_reads
):
    # 2 arrays of float16, a mask and a spacing, on 32 x 24 voxels.
    one_pair = 32 * 24 * (2 + 2 + 1) + 2 * 4
    pairs = make_pairs(1) * 40
    machine = {"SC_PHYS_PAGES": 40, "SC_PAGE_SIZE": one_pair}
    monkeypatch.setattr(module.os, "sysconf", machine.__getitem__)
    store = PairStore(pairs, make_config(cache="memory"), tmp_path / "cache")
    done = []
    with pytest.raises(InputError, match=r"0\.000154 GB.*training.cache to disk"):
        store.fill(done.append)
    assert done == [1]
    assert num_reads() < 40
    make_store(pairs, make_config(cache="none"), tmp_path)
    machine["SC_PHYS_PAGES"] = 60
    make_store(pairs, make_config(cache="memory"), tmp_path)


def test_all_faulty_pairs_are_named_with_their_lines(make_pairs, make_config, tmp_path):
    good = make_pairs(1, labels=True)[0]
    flat = tmp_path / "flat.nii"
    write_image(flat, Image(np.zeros((9, 8, 7), np.float32), np.eye(4)))
    solid = tmp_path / "solid.nii"
    array = np.arange(504, dtype=np.float32).reshape(9, 8, 7)
    write_image(solid, Image(array, np.eye(4)))
    far = tmp_path / "far.nii"
    affine = np.diag([1.5, 2.0, 1.0])
    affine[0, 2] = 500.0
    write_image(far, Image(array[0], affine))
    text = tmp_path / "text.nii"
    text.write_text("not an image")
    displaced = tmp_path / "displaced.nii"
    affine[0, 2] = 2.0
    write_image(displaced, Image(np.ones((32, 24), np.uint8), affine))
    pairs = [
        good,
        Pair(good.fixed, text, "p.csv, line 3"),
        Pair(good.fixed, solid, "p.csv, line 4"),
        Pair(good.fixed, far, "p.csv, line 5"),
        Pair(flat, solid, "p.csv, line 6"),
        Pair(good.fixed, good.moving, "p.csv, line 7", solid, solid),
        Pair(good.fixed, good.moving, "p.csv, line 8", good.fixed_labels, displaced),
    ]
    done = []
    store = PairStore(pairs, make_config(), tmp_path / "cache", with_labels=True)
    with pytest.raises(InputError) as caught:
        store.fill(done.append)
    lines = str(caught.value).splitlines()
    for line, (number, reason) in zip(
        lines,
        [
            (3, "text.nii"),
            (4, "3-d"),
            (5, "don't overlap"),
            (6, "flat.nii"),
            (7, "labels must have their image's shape (32, 24)"),
            (8, "displaced.nii: labels lie elsewhere than their image, up to 2 mm"),
        ],
        strict=True,
    ):
        assert line.startswith(f"p.csv, line {number}: ")
        assert reason in line
    assert done == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize("cache", ["memory", "disk", "none"])
def test_a_channel_of_images_without_any_is_refused(
    cache, make_pairs, make_config, tmp_path
):
    config = make_config(cache=cache).model_copy(update={"channel": 2})
    pairs = make_pairs(3)
    for _ in range(2):  # what was refused isn't in the cache
        with pytest.raises(InputError, match=r"channel 2 .* no image has several"):
            make_store(pairs, config, tmp_path)
    assert not (tmp_path / "cache").exists()
    grey = read_image(pairs[2].moving)
    colours = np.stack([(200 * grey.array).astype(np.uint8)] * 3, axis=-1)
    coloured = Image(colours[..., 0], grey.affine, channels=colours)
    write_image(tmp_path / "colours.mha", coloured)
    pairs[2] = replace(pairs[2], moving=tmp_path / "colours.mha")
    assert len(make_store(pairs, config, tmp_path)) == 3
    if cache == "disk":  # what was cached was accepted
        assert len(make_store(pairs[:2], config, tmp_path)) == 2


def test_a_header_in_the_wrong_unit_is_named_with_its_line(
    make_pairs, make_config, tmp_path
):
    """Before the memory is gone that its working grid would take."""
    good = make_pairs(1)[0]
    vast = tmp_path / "vast.nii"
    array = np.arange(768, dtype=np.float32).reshape(32, 24)
    write_image(vast, Image(array, np.diag([1.5e6, 2e6, 1.0])))
    pairs = [good, Pair(vast, vast, "p.csv, line 3")]
    config = make_config().model_copy(update={"spacing": (1.5, 2.0)})
    store = PairStore(pairs, config, tmp_path / "cache", with_labels=False)
    with pytest.raises(InputError) as caught:
        store.fill()
    told = str(caught.value)
    assert told.startswith("p.csv, line 3")
    assert "the working grid would have" in told
    assert "voxels of 1500000×2000000 mm" in told


def test_workers_share_the_reading_of_pairs(
    make_pairs, make_config, tmp_path, num_reads
):
    """What one hasn't read itself, it knows from the other, and reads in its turn."""
    pairs = make_pairs(3, shapes=((32, 24), (24, 40)), labels=True)
    other = PairStore(pairs[1:2], make_config(), tmp_path / "cache", with_labels=True)
    other.fill()

    class First(Workers):
        def exchange(self, data):
            facts = {"shape": [24, 40], "masks": [], "channels": False}
            facts["nums"] = {"shared_labels": 7}
            return [data, json.dumps([facts]).encode()]

    store = PairStore(pairs, make_config(), tmp_path / "cache", with_labels=True)
    before, done = num_reads(), []
    store.fill(done.append, First(None, 0, 2))
    assert num_reads() - before == 2
    assert done == [1, 2]
    assert store.largest_shape == (32, 40)
    assert store.most_labels == 7
    assert_same(store.load(1), other.load(0))
