"""Weak supervision: labels go where their images go, and teach what these don't."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.errors import InputError
from dlir_tf.images import Image, read_image, write_image
from dlir_tf.layers.warp import Warp
from dlir_tf.losses.label_maps import LABELS
from dlir_tf.metrics import dice
from dlir_tf.models.model import build_model
from dlir_tf.models.objective import Objective
from dlir_tf.training import train
from dlir_tf.training.augmentation import augment
from dlir_tf.training.patches import AlignedPatches
from dlir_tf.training.pipeline import training_batches
from dlir_tf.training.sample import number_labels
from dlir_tf.training.store import PairStore
from dlir_tf.training.validation import Validator

SPACING = np.array([1.5, 2.0])  # of `make_pairs`


def supervised(config, **settings):
    supervision = config.training.supervision.model_copy(update=settings)
    training = config.training.model_copy(update={"supervision": supervision})
    return config.model_copy(update={"training": training})


def write_labels(pair, values):
    """Gives a pair labels: as many bands of brightness as there are values."""
    for side in ("fixed", "moving"):
        image = read_image(getattr(pair, side))
        limits = np.linspace(-0.2, 0.2, len(values) - 1)
        labels = np.array(values)[np.searchsorted(limits, image.array)]
        path = pair.fixed.with_name(f"{pair.fixed.stem}_{side}_bands.nii")
        write_image(path, Image(labels.astype(np.int32), image.affine))
        pair = replace(pair, **{f"{side}_labels": path})
    return pair


@pytest.fixture
def make_store(make_config, tmp_path):
    def make(pairs, **training):
        config = make_config(**training)
        store = PairStore(pairs, config, tmp_path / "cache", with_labels=True)
        store.fill()
        return store

    return make


def batches(store, last_step=6, **options):
    options = {"size": (32, 24), "batch_size": 2, "seed": (3, 0), **options}
    dataset = training_batches(store, first_step=0, last_step=last_step, **options)
    return list(dataset.as_numpy_iterator())


def test_labels_are_numbered_in_their_order():
    fixed = np.array([[0, 1002, -3], [7, 7, 70000]])
    moving = np.array([[7, 0, 5], [-3, 0, 0]])
    numbered = number_labels(fixed, moving)
    np.testing.assert_array_equal(numbered["fixed_labels"], [[0, 4, 1], [3, 3, 5]])
    np.testing.assert_array_equal(numbered["moving_labels"], [[3, 0, 2], [1, 0, 0]])
    np.testing.assert_array_equal(numbered["shared_labels"], [1, 3])
    assert {array.dtype for array in numbered.values()} == {np.dtype(np.uint8)}
    overlaps = dice(numbered["fixed_labels"], numbered["moving_labels"])
    assert list(overlaps.values()) == list(dice(fixed, moving).values())
    many = number_labels(np.arange(300), np.arange(1, 301))
    assert many["fixed_labels"].dtype == np.uint16
    assert len(many["shared_labels"]) == 299


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_batches_bring_labels_with_some_of_their_values(cache, make_pairs, make_store):
    plain, labelled = make_pairs(2)
    labelled = write_labels(labelled, [0, 30, 4000, 17, 2, 1])
    store = make_store([plain, labelled], cache=cache)
    if cache == "disk":
        store = make_store([plain, labelled], cache=cache)
    numbers = store.load(1).fixed_labels
    assert set(np.unique(numbers)) == {0, 1, 2, 3, 4, 5}
    seen = []
    for batch in batches(store, labels_per_step=3):
        assert batch["label_values"].shape == (2, 3)
        for image, labels, values in zip(
            batch["fixed"], batch["fixed_labels"], batch["label_values"], strict=True
        ):
            if np.array_equal(image[..., 0], store.load(1).fixed):
                np.testing.assert_array_equal(labels[..., 0], numbers)
                assert len(set(values)) == 3
                seen.append(tuple(values))
            else:
                assert not labels.any()
                assert not values.any()
    assert set(np.ravel(seen)) == {1, 2, 3, 4, 5}
    assert len(set(seen)) > 2
    # No more maps than there are labels.
    assert batches(store, 1, labels_per_step=9)[0]["label_values"].shape == (2, 5)


def test_which_labels_a_step_sees_depends_on_seed_and_step_alone(
    make_pairs, make_store
):
    store = make_store([write_labels(p, [0, 1, 2, 3, 4, 5]) for p in make_pairs(3)])
    options = {"size": (16, 16), "batch_size": 2, "labels_per_step": 2}
    whole = batches(store, 6, seed=(3, 0), **options)
    later = training_batches(store, seed=(3, 0), first_step=4, last_step=6, **options)
    for a, b in zip(whole[4:], later.as_numpy_iterator(), strict=True):
        for name in (*LABELS, "label_values"):
            np.testing.assert_array_equal(a[name], b[name])
    other = batches(store, 6, seed=(4, 0), **options)
    assert any(
        not np.array_equal(a["label_values"], b["label_values"])
        for a, b in zip(whole, other, strict=True)
    )


def bright_batch(rng, num=2, size=(32, 48)):
    """Ramps, whose brightest quarters are labelled: labels can be told from images."""
    rows, columns = (x / n for x, n in zip(np.indices(size), size, strict=True))
    ramps = {"fixed": rows, "moving": columns}
    images = {
        side: np.repeat(ramp[None, ..., None], num, 0) for side, ramp in ramps.items()
    }
    labels = {f"{side}_labels": 3 * (image > 0.75) for side, image in images.items()}
    batch = {
        **images,
        **labels,
        "mask": np.ones((num, *size, 1)),
        "label_values": np.full((num, 1), 3),
        "spacing": np.tile(SPACING, (num, 1)),
    }
    constants = {k: tf.constant(v, tf.float32) for k, v in batch.items()}
    return {**constants, "extent": tf.constant([size] * num)}


def assert_labels_lie_where_it_is_bright(batch, blur=1 / 32):
    for side in ("fixed", "moving"):
        image, labels = np.array(batch[side]), np.array(batch[f"{side}_labels"])
        assert labels.shape == image.shape
        assert set(np.unique(labels)) == {0, 3}
        assert image[labels == 3].min() > 0.75 - blur
        # Beyond its border an image goes on, but its labels don't.
        inside = np.array(batch["mask"]) == 1
        assert image[(labels == 0) & inside].max() < 0.75 + blur


def test_labels_go_where_augmentation_puts_their_images(make_config, rng):
    config = make_config().training.augmentation.model_copy(
        update={"relative": 0.5, "gamma": 0.0, "noise": 0.0, "rotation_degrees": 40.0}
    )
    batch = bright_batch(rng)
    changed = augment(batch, config, (3, 4))
    assert_labels_lie_where_it_is_bright(changed)
    for name in LABELS:
        assert np.mean(changed[name] != batch[name]) > 0.02


def test_labels_are_cut_with_their_patches_behind_an_affine_stage(make_config, rng):
    config = make_config("affine bspline", patch_size=16)
    network = build_model(config)
    layer = network.get_layer("stage_1_affine")
    weights = layer.get_weights()
    weights[-1][:2] = 0.1  # moves by whole voxels and a fraction
    layer.set_weights(weights)
    batch = bright_batch(rng, num=6)
    cut = AlignedPatches(network, config, (16, 16))(batch, (1, 2))
    assert cut["fixed_labels"].shape == (6, 16, 16, 1)
    assert_labels_lie_where_it_is_bright(cut, blur=1 / 20)


@pytest.mark.parametrize("factor", [(1, 1), (2, 4)])
def test_the_objective_adds_what_moved_labels_lack(factor, make_config, rng):
    config = supervised(make_config("bspline"), labels=0.5)
    labels = rng.integers(0, 4, (2, 2, 16, 8, 1)).astype(np.float32)
    size = [n // r for n, r in zip((16, 8), factor, strict=True)]
    batch = {
        "mask": tf.ones((2, 16, 8, 1)),
        "spacing": tf.ones((2, 2)),
        "fixed_labels": tf.constant(labels[0]),
        "moving_labels": tf.constant(labels[1]),
        "label_values": tf.constant([[2.0, 3.0], [1.0, 0.0]]),
    }
    fixed, moved = rng.uniform(size=(2, 2, *size, 1)).astype(np.float32)
    ddf = rng.uniform(-1, 1, (2, *size, 2)).astype(np.float32)
    outputs = {"fixed": tf.constant(fixed), "moved": tf.constant(moved), "ddf": ddf}
    losses = Objective(config, factor)(batch, outputs)
    expected = []
    for sample, values in enumerate([(2, 3), (1,)]):
        overlaps = []
        for value in values:
            f, m = (
                (labels[side, sample, ..., 0] == value)
                .reshape(size[0], factor[0], size[1], factor[1])
                .mean(axis=(1, 3))
                for side in range(2)
            )
            m = Warp(fill_value=0.0)(m[None, ..., None], ddf[sample : sample + 1])
            m = np.array(m)[0, ..., 0]
            overlaps.append(2 * np.sum(f * m) / np.sum(f**2 + m**2))
        expected.append(0.5 * (1 - np.mean(overlaps)))
    np.testing.assert_allclose(losses["label_loss"], expected, rtol=1e-4)
    plain = Objective(make_config("bspline"), factor)(batch, outputs)
    assert "label_loss" not in plain
    np.testing.assert_allclose(
        losses["loss"], plain["loss"] + losses["label_loss"], rtol=1e-5
    )
    # Refinement and validation have no labels in their batches.
    names = ("mask", "spacing")
    without = Objective(config, factor)({n: batch[n] for n in names}, outputs)
    np.testing.assert_array_equal(without["loss"], plain["loss"])


def unlike_images(pairs, rng):
    """Puts noise into the moving images: nothing but labels tells the motion."""
    for pair in pairs:
        image = read_image(pair.moving)
        noise = rng.normal(size=image.shape).astype(np.float32)
        write_image(pair.moving, Image(noise, image.affine))
    return pairs


def test_labels_teach_what_images_do_not(make_pairs, make_config, tmp_path, rng):
    pairs = unlike_images(make_pairs(3, labels=True), rng)
    augmentation = dict.fromkeys(
        ("rotation_degrees", "scale", "translation", "gamma", "noise"), 0
    )
    plain = make_config("affine", learning_rate=5e-3, augmentation=augmentation)
    found = {}
    for name, config in (("plain", plain), ("labels", supervised(plain, labels=3.0))):
        output = tmp_path / name
        model = train(config, pairs[1:], output, steps=60, seed=4)
        store = PairStore(pairs[:1], config, output / "cache", with_labels=True)
        store.fill()
        found[name] = Validator(model.network, config, 1, store)()
    assert found["labels"]["validation_dice"] > 0.9
    assert found["plain"]["validation_dice"] < 0.8
    # What decides which weights are kept counts the labels of new pairs.
    for name, weight in (("plain", 0.0), ("labels", 3.0)):
        values = found[name]
        assert values["validation_loss"] == pytest.approx(
            values["validation_similarity_loss"]
            + weight * (1 - values["validation_dice"]),
            abs=1e-4,
        )
    header, *rows = (tmp_path / "labels" / "training.csv").read_text().splitlines()
    column = header.split(",").index("label_loss")
    first, last = (float(rows[k].split(",")[column]) for k in (0, -1))
    assert last < 0.5 * first


@pytest.mark.parametrize("kind", ["labels", "landmarks"])
def test_supervision_by_what_is_not_there_is_refused(
    kind, make_pairs, make_config, tmp_path
):
    config = supervised(make_config(), **{kind: 0.5})
    message = rf"supervision.{kind} is 0.5, but no training pair has {kind}"
    with pytest.raises(InputError, match=message):
        train(config, make_pairs(2), tmp_path / "model")
    assert not (tmp_path / "model").exists()
