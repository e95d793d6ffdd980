"""Masks in training: garbage outside them never shows, nor misleads."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.images import Image, read_image, write_image
from dlir_tf.models.model import build_model, training_model
from dlir_tf.models.objective import Objective
from dlir_tf.registration import register
from dlir_tf.training import train
from dlir_tf.training.augmentation import augment
from dlir_tf.training.patches import AlignedPatches
from dlir_tf.training.store import PairStore
from dlir_tf.training.validation import Validator

SPACING = np.array([1.5, 2.0])  # of `make_pairs`


def ball(size, middle=None, radius=0.42):
    """A mask, `(1, *size, 1)`."""
    middle = np.array(middle or [0.5] * len(size))
    places = (np.stack(np.indices(size), -1) + 0.5) / size - middle
    inside = np.linalg.norm(places, axis=-1) < radius
    return inside[None, ..., None].astype(np.float32)


def with_garbage(rng, image, mask):
    return np.where(mask > 0, image, rng.uniform(-50, 50, image.shape)).astype("f4")


@pytest.fixture
def pushed(make_config):
    """A config and its network, which moves everything by 2 and a half voxels."""

    def make(stages, **training):
        config = make_config(stages, **training)
        halved = [s.model_copy(update={"downsample": (2, 2)}) for s in config.stages]
        config = config.model_copy(update={"stages": tuple(halved)})
        network = build_model(config)
        for index, stage in enumerate(config.stages):
            layer = network.get_layer(config.network_names[index])
            weights = layer.get_weights()
            weights[-1][:2] = 0.1 if stage.transform == "affine" else 0.32
            layer.set_weights(weights)
        return config, network

    return make


def garbled_batches(rng, num=2):
    """The same two pairs with other garbage outside their masks."""
    size = (32, 48)
    # Binary fractions, so that all sums are exact.
    fixed, moving = rng.integers(0, 256, (2, 2, *size, 1)) / 256
    masks = [
        np.concatenate([ball(size, place), ball(size, (0.5, 0.5))])
        for place in ((0.5, 0.5), (0.45, 0.6))
    ]
    for _ in range(num):
        yield {
            "fixed": tf.constant(with_garbage(rng, fixed, masks[0])),
            "moving": tf.constant(with_garbage(rng, moving, masks[1])),
            "mask": tf.ones((2, *size, 1)),
            "spacing": tf.constant([[1.5, 2.0]] * 2),
            "extent": tf.constant([size] * 2),
            "fixed_mask": tf.constant(masks[0]),
            "moving_mask": tf.constant(masks[1]),
        }


@pytest.mark.parametrize("kind", ["ncc", "windowed_ncc", "mse", "nmi", "mind_ssc"])
@pytest.mark.parametrize("stages", ["bspline", "affine bspline"])
def test_garbage_outside_the_masks_leaves_the_objective_as_it_is(
    kind, stages, pushed, rng
):
    """From whole images through pooling, warping and loss, at half resolution."""
    config, network = pushed(stages)
    similarity = config.similarity.model_copy(update={"kind": kind, "window": 5})
    config = config.model_copy(update={"similarity": similarity})
    num_stages = len(config.stages)
    model = training_model(network, config, num_stages - 1, num_stages)
    objective = Objective(config, (2, 2))
    losses, ignored = [], []
    for batch in garbled_batches(rng):
        outputs = model({name: batch[name] for name in ("fixed", "moving", "spacing")})
        assert np.abs(outputs["ddf"]).min() > 1
        losses.append(objective(batch, outputs)["loss"].numpy())
        for name in ("fixed_mask", "moving_mask"):
            ones = {**batch, name: tf.ones_like(batch[name])}
            ignored.append(objective(ones, outputs)["loss"].numpy())
    assert np.isfinite(losses).all()
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    # Either mask alone lets garbage in.
    assert np.abs(np.subtract(ignored[:2], ignored[2:])).max(axis=1).min() > 1e-3


def test_masks_of_ones_change_nothing(pushed, rng):
    config, network = pushed("bspline")
    model, objective = training_model(network, config, 0, 1), Objective(config, (2, 2))
    (batch,) = garbled_batches(rng, 1)
    outputs = model({name: batch[name] for name in ("fixed", "moving", "spacing")})
    plain = {k: v for k, v in batch.items() if k not in ("fixed_mask", "moving_mask")}
    ones = tf.ones_like(batch["mask"])
    expected = objective(plain, outputs)["loss"]
    masked = objective({**plain, "fixed_mask": ones, "moving_mask": ones}, outputs)
    np.testing.assert_array_equal(masked["loss"], expected)
    assert (objective(batch, outputs)["loss"] != expected).numpy().all()


def test_masks_go_where_augmentation_puts_their_images(make_config, rng):
    config = make_config().training.augmentation.model_copy(
        update={"relative": 0.5, "gamma": 0.0, "noise": 0.0}
    )
    one, other = (augment(b, config, (3, 4)) for b in garbled_batches(rng))
    for name, other_mask in (("fixed", "moving_mask"), ("moving", "fixed_mask")):
        mask, same = one[f"{name}_mask"], np.isclose(one[name], other[name], atol=0.1)
        assert same[mask > 0].all()
        assert not same[one[other_mask] > 0].all()
        assert (mask.numpy()[same] == 1).mean() > 0.9
        before = next(garbled_batches(rng))[f"{name}_mask"]
        assert np.sum(mask) > 0.5 * np.sum(before)


def test_masks_are_cut_with_their_patches_behind_an_affine_stage(pushed, rng):
    config, network = pushed("affine bspline", patch_size=16)
    cut = AlignedPatches(network, config, (16, 16))
    one, other = (cut(batch, (1, 2)) for batch in garbled_batches(rng))
    for name in ("fixed", "moving"):
        mask, same = one[f"{name}_mask"], np.isclose(one[name], other[name], atol=0.1)
        assert mask.shape == (2, 16, 16, 1)
        assert same[mask > 0].all()
        assert (mask.numpy()[same] == 1).mean() > 0.9
        assert 0 < np.mean(mask) < 1


def test_validation_counts_only_what_is_inside_the_masks(
    make_pairs, make_config, tmp_path, rng
):
    """An untrained model moves nothing: the images themselves are compared."""
    (pair,) = make_pairs(1)
    affine, arrays, masks = read_image(pair.fixed).affine, [], {}
    for name, middle in (("fixed", (0.4, 0.5)), ("moving", (0.5, 0.6))):
        mask = ball((32, 24), middle)[0, ..., 0]
        masks[f"{name}_mask"] = tmp_path / f"{name}_mask.nii"
        write_image(masks[f"{name}_mask"], Image(mask.astype(np.uint8), affine))
        arrays.append(np.where(mask > 0, read_image(getattr(pair, name)).array, 0.3))
        write_image(getattr(pair, name), Image(arrays[-1].astype("f4"), affine))
    config = make_config("bspline")
    losses = []
    for chosen in (replace(pair, **masks), pair):
        store = PairStore([chosen], config, tmp_path / "cache")
        store.fill()
        network = build_model(config)
        losses.append(Validator(network, config, 1, store)()["validation_loss"])
        sample = store.load(0)
        inside = sample.mask
        if chosen.fixed_mask:
            inside = sample.fixed_mask & sample.moving_mask
        fixed, moving = (x[inside].astype(float) for x in (sample.fixed, sample.moving))
        assert losses[-1] == pytest.approx(
            1 - np.corrcoef(fixed, moving)[0, 1], abs=1e-3
        )
    assert abs(losses[0] - losses[1]) > 0.05


def add_artefact(pairs, folder):
    """Puts the same bright block into all images, and masks beside them without it."""
    affine = read_image(pairs[0].fixed).affine
    block = (slice(18, 28), slice(12, 21))
    inside = np.ones((32, 24), np.uint8)
    inside[17:29, 11:22] = 0
    mask = folder / "mask.nii"
    write_image(mask, Image(inside, affine))
    for path in (path for pair in pairs for path in (pair.fixed, pair.moving)):
        array = read_image(path).array.copy()
        array[block] = 4 * array.max()
        write_image(path, Image(array, affine))
    return [replace(pair, fixed_mask=mask, moving_mask=mask) for pair in pairs]


def test_a_bright_artefact_misleads_only_without_masks(
    make_pairs, make_config, tmp_path
):
    """It stays where it is, while the scene moves by 3 and -2 voxels."""
    masked = add_artefact(make_pairs(3), tmp_path)
    plain = [replace(pair, fixed_mask=None, moving_mask=None) for pair in masked]
    augmentation = dict.fromkeys(
        ("rotation_degrees", "scale", "translation", "gamma", "noise"), 0
    )
    config = make_config(
        "affine", learning_rate=5e-3, validate_every=50, augmentation=augmentation
    )
    fixed, moving = read_image(plain[1].fixed), read_image(plain[1].moving)
    points = np.array([[9.0, 10.0], [33.0, 12.0], [24.0, 30.0]])
    errors = {}
    for name, pairs in (("masked", masked), ("plain", plain)):
        model = train(
            config, pairs, tmp_path / name, validation=pairs[1:], steps=100, seed=4
        )
        result = register(fixed, moving, model=model, do_no_harm=False)
        moved = result.transform.map_points(points) - points
        apart = np.linalg.norm(moved - np.array([3, -2]) * SPACING, axis=1)
        errors[name] = apart.mean()
    assert errors["masked"] < 1
    assert errors["plain"] > 3
