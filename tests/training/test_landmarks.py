"""Landmarks in training: they go where their images go, and teach what these don't."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from dlir_tf.errors import InputError
from dlir_tf.images import Image, read_image, write_image
from dlir_tf.layers.compose import matrix_field
from dlir_tf.models.model import build_model, partial_model
from dlir_tf.models.objective import Objective
from dlir_tf.pairs.manifest import Pair
from dlir_tf.training import train
from dlir_tf.training.augmentation import augment
from dlir_tf.training.landmarks import POINTS, pull_back
from dlir_tf.training.patches import AlignedPatches
from dlir_tf.training.pipeline import training_batches
from dlir_tf.training.store import PairStore
from dlir_tf.training.validation import Validator

SHIFT, SPACING = np.array([3, -2]), np.array([1.5, 2.0])  # of `make_pairs`


def supervised(config, **settings):
    supervision = config.training.supervision.model_copy(update=settings)
    training = config.training.model_copy(update={"supervision": supervision})
    return config.model_copy(update={"training": training})


def write_points(path, points):
    path.write_text("x,y,z\n"[: 2 * points.shape[1] - 1] + "\n")
    with path.open("a") as stream:
        np.savetxt(stream, points, delimiter=",")
    return path


def mark(pair, voxels):
    """Gives a pair landmarks at these voxels of the fixed image, and moved by SHIFT."""
    folder, name = pair.fixed.parent, pair.fixed.stem
    files = {
        f"{side}_points": write_points(folder / f"{name}_{side}.csv", points * SPACING)
        for side, points in (("fixed", voxels), ("moving", voxels + SHIFT))
    }
    return replace(pair, **files)


def fill_store(pairs, config, folder):
    store = PairStore(pairs, config, folder / "cache", with_points=True)
    store.fill()
    return store


@pytest.fixture
def voxels(rng):
    return rng.uniform([4, 4], [27, 19], (5, 2))


@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_batches_bring_landmarks_in_voxels(
    cache, make_pairs, make_config, tmp_path, voxels
):
    plain, marked, another = make_pairs(3)
    pairs = [plain, mark(marked, voxels), mark(another, voxels[:2])]
    config = make_config(cache=cache)
    if cache == "disk":
        fill_store(pairs, config, tmp_path)
    store = fill_store(pairs, config, tmp_path)
    assert store.load(0).fixed_points is None
    np.testing.assert_allclose(store.load(1).fixed_points, voxels, atol=1e-4)
    np.testing.assert_allclose(store.load(1).moving_points, voxels + SHIFT, atol=1e-4)
    options = {"batch_size": 3, "seed": (3, 0), "first_step": 0, "last_step": 1}
    (batch,) = training_batches(store, size=(32, 24), **options).as_numpy_iterator()
    assert batch["moving_points"].shape == (3, 5, 2)
    assert sorted(batch["point_weights"].sum(axis=1)) == [0, 2, 5]
    (patch,) = training_batches(store, size=(16, 16), **options).as_numpy_iterator()
    for image, fixed, moving, weights in zip(
        *(patch[name] for name in ("fixed", *POINTS)), strict=True
    ):
        there = fixed[weights > 0]
        assert np.all((there >= 0) & (there <= 15))
        if weights.any():
            np.testing.assert_allclose(
                moving[weights > 0] - there, np.tile(SHIFT, (len(there), 1)), atol=1e-4
            )
        # Where the patch was cut from tells which landmarks lie in it.
        for index in range(3):
            whole = store.load(index).fixed.astype(np.float32)
            windows = np.lib.stride_tricks.sliding_window_view(whole, (16, 16))
            found = np.argwhere(np.all(windows == image[..., 0], axis=(2, 3)))
            if len(found):
                there = voxels[: {0: 0, 1: 5, 2: 2}[index]] - found[0]
                inside = np.all((there >= 0) & (there <= 15), axis=1)
                assert weights.sum() == inside.sum()
                np.testing.assert_allclose(fixed[: len(there)], there, atol=1e-4)


def test_landmarks_of_oblique_images_come_to_lie_where_the_images_show_them(
    make_config, tmp_path, rng
):
    """On another grid, behind an initial alignment: a bright spot at each of them."""
    spots = np.array([[10.0, 8.0, 6.0], [20.0, 12.0, 9.0]])
    images, points = {}, {}
    for side, turn, offset in (("fixed", 0.2, 0.0), ("moving", -0.15, 40.0)):
        matrix = np.diag([1.2, 1.5, 2.0, 1.0])
        matrix[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
        matrix[:3, :3] = matrix[:3, :3] @ np.diag([-1.2, 1.5, 1.0])
        matrix[:3, 3] = offset
        indices = np.stack(np.indices((32, 24, 16)), -1)
        array = sum(
            np.exp(-np.sum((indices - spot) ** 2, -1) / (2 * width**2))
            for spot, width in zip(spots, (1.5, 2.0), strict=True)
        )
        images[side] = tmp_path / f"{side}.nii"
        write_image(images[side], Image(array.astype(np.float32), matrix))
        world = spots @ matrix[:3, :3].T + matrix[:3, 3]
        points[f"{side}_points"] = write_points(tmp_path / f"{side}.csv", world)
    config = make_config("bspline")
    stage = config.stages[0].model_copy(
        update={"downsample": (1, 1, 1), "control_point_spacing": (8, 8, 8)}
    )
    config = config.model_copy(
        update={
            "ndim": 3,
            "spacing": (1.0, 1.0, 1.0),
            "initial_alignment": "mass",
            "stages": (stage,),
        }
    )
    sample = fill_store(
        [Pair(place="here", **images, **points)], config, tmp_path
    ).load(0)
    for side in ("fixed", "moving"):
        image = getattr(sample, side).astype(np.float32)
        for point in getattr(sample, f"{side}_points"):
            near = tuple(slice(max(0, round(p) - 5), round(p) + 6) for p in point)
            centre = ndimage.center_of_mass(image[near] ** 2)
            first = [max(0, round(p) - 5) for p in point]
            assert np.abs(np.add(first, centre) - point).max() < 0.5


def test_as_many_landmarks_are_needed_of_both(
    make_pairs, make_config, tmp_path, voxels
):
    (pair,) = make_pairs(1)
    pair = mark(pair, voxels)
    write_points(pair.moving_points, voxels[:-1])
    with pytest.raises(InputError, match=r"pairs.csv, line 2: .* Received: 5 and 4"):
        fill_store([pair], make_config(), tmp_path)


@pytest.mark.parametrize("ndim", [2, 3])
def test_points_are_pulled_back_by_a_matrix(ndim, rng):
    matrix = np.eye(ndim, ndim + 1) + rng.normal(0, 0.3, (2, ndim, ndim + 1))
    points = rng.normal(0, 9, (2, 7, ndim))
    found = pull_back(tf.constant(points), tf.constant(matrix)).numpy()
    for m, before, after in zip(matrix, points, found, strict=True):
        np.testing.assert_allclose(after @ m[:, :-1].T + m[:, -1], before, atol=1e-6)


def spotted_batch(rng, num=4, size=(40, 48), room=14):
    """Images with a spot each, and a landmark there."""
    points = rng.uniform(room, np.array(size) - room, (2, num, 1, 2))
    indices = np.stack(np.indices(size), -1)
    fixed, moving = (
        np.exp(-np.sum((indices - side[:, :, None]) ** 2, -1) / 8)[..., None]
        for side in points
    )
    batch = {
        "fixed": fixed,
        "moving": moving,
        "mask": np.ones((num, *size, 1)),
        "spacing": np.tile(SPACING, (num, 1)),
        "fixed_points": points[0],
        "moving_points": points[1],
        "point_weights": np.ones((num, 1)),
    }
    constants = {k: tf.constant(v, tf.float32) for k, v in batch.items()}
    return {**constants, "extent": tf.constant([size] * num)}


def assert_landmarks_lie_on_spots(batch, sides=("fixed", "moving")):
    for side in sides:
        for image, points in zip(
            np.array(batch[side]), np.array(batch[f"{side}_points"]), strict=True
        ):
            centre = ndimage.center_of_mass(image[..., 0] ** 2)
            np.testing.assert_allclose(points[0], centre, atol=0.15)


def test_landmarks_go_where_augmentation_puts_their_images(make_config, rng):
    config = make_config().training.augmentation.model_copy(
        update={"relative": 0.5, "gamma": 0.0, "noise": 0.0, "rotation_degrees": 20.0}
    )
    batch = spotted_batch(rng)
    assert_landmarks_lie_on_spots(batch)
    changed = augment(batch, config, (3, 4))
    assert_landmarks_lie_on_spots(changed)
    for name in POINTS[:2]:
        assert np.abs(changed[name] - batch[name]).max() > 1


def test_landmarks_are_cut_with_their_patches_behind_an_affine_stage(make_config, rng):
    config = make_config("affine bspline", patch_size=24)
    network = build_model(config)
    layer = network.get_layer("stage_1_affine")
    weights = layer.get_weights()
    weights[-1][:3] = 0.06, -0.1, 0.05  # translates and turns
    layer.set_weights(weights)
    batch = spotted_batch(rng, num=12, room=6)
    cut = AlignedPatches(network, config, (24, 24))(batch, (1, 2))
    weights, fixed = cut["point_weights"].numpy()[:, 0], cut["fixed_points"].numpy()
    inside = np.all((fixed[:, 0] >= 0) & (fixed[:, 0] <= 23), axis=1)
    np.testing.assert_array_equal(weights, inside)
    assert 0 < weights.sum() < 12
    # Only of spots that the patch shows wholly is the centre where it seems.
    moving = cut["moving_points"].numpy()[:, 0]
    shown = np.all(np.abs(np.stack([fixed[:, 0], moving]) - 11.5) < 7, axis=(0, 2))
    assert shown.any()
    assert_landmarks_lie_on_spots({k: v[shown] for k, v in cut.items()})
    field = partial_model(network, config, 1)(
        {name: batch[name] for name in ("fixed", "moving", "spacing")}
    )["ddf"]
    assert np.linalg.norm(field, axis=-1).min() > 0.5


@pytest.mark.parametrize("factor", [(1, 1), (2, 4)])
def test_the_objective_measures_landmarks_at_any_resolution(factor, make_config, rng):
    """Through a linear field: what its matrix does, it does on every grid."""
    config = supervised(make_config("bspline"), landmarks=0.2)
    matrix = np.float32([[1.1, 0.05, -2.0], [-0.08, 0.95, 1.5]])
    fixed, moving = rng.uniform(5, 20, (2, 1, 3, 2))
    weights = np.array([[1.0, 0.0, 1.0]])
    mapped = fixed @ matrix[:, :2].T + matrix[:, 2]
    apart = np.linalg.norm((mapped - moving) * SPACING, axis=-1)
    r = np.array(factor, np.float32)
    coarse = np.zeros_like(matrix)
    coarse[:, :2] = matrix[:, :2] * r / r[:, None]
    coarse[:, 2] = (matrix[:, :2] @ ((r - 1) / 2) + matrix[:, 2] - (r - 1) / 2) / r
    small = tf.zeros((1, *np.array([24, 32]) // factor, 1))
    batch = {
        "mask": tf.ones((1, 24, 32, 1)),
        "spacing": tf.constant([SPACING], tf.float32),
        "fixed_points": tf.constant(fixed, tf.float32),
        "moving_points": tf.constant(moving, tf.float32),
        "point_weights": tf.constant(weights, tf.float32),
    }
    ddf = matrix_field(tf.constant(coarse[None]), small)
    outputs = {"fixed": small, "moved": small, "ddf": ddf}
    losses = Objective(config, factor)(batch, outputs)
    expected = 0.2 * np.average(apart[0], weights=weights[0])
    np.testing.assert_allclose(losses["landmark_loss"], [expected], rtol=1e-3)
    plain = Objective(make_config("bspline"), factor)(batch, outputs)
    assert "landmark_loss" not in plain
    np.testing.assert_allclose(losses["loss"] - plain["loss"], [expected], rtol=1e-3)


def test_landmarks_teach_what_images_do_not(
    make_pairs, make_config, tmp_path, rng, voxels
):
    pairs = [mark(pair, voxels) for pair in make_pairs(3)]
    for pair in pairs:
        image = read_image(pair.moving)
        noise = rng.normal(size=image.shape).astype(np.float32)
        write_image(pair.moving, Image(noise, image.affine))
    augmentation = dict.fromkeys(
        ("rotation_degrees", "scale", "translation", "gamma", "noise"), 0
    )
    plain = make_config("affine", learning_rate=5e-3, augmentation=augmentation)
    config = supervised(plain, landmarks=0.3)
    model = train(
        config, pairs[1:], tmp_path / "model", validation=pairs[:1], steps=60, seed=4
    )
    store = fill_store(pairs[:1], config, tmp_path)
    sample = store.load(0)
    inputs = {
        name: getattr(sample, name)[None, ..., None].astype(np.float32)
        for name in ("fixed", "moving")
    }
    ddf = model.network({**inputs, "spacing": SPACING[None]})["ddf"].numpy()[0]
    found = [ndimage.map_coordinates(ddf[..., a], voxels.T, order=1) for a in (0, 1)]
    errors = np.linalg.norm((np.stack(found, -1) - SHIFT) * SPACING, axis=1)
    assert errors.mean() < 1.5
    losses = Validator(model.network, config, 1, store)()
    assert losses["validation_loss"] == pytest.approx(
        losses["validation_similarity_loss"] + 0.3 * errors.mean(), abs=0.02
    )
    header, *rows = (tmp_path / "model" / "training.csv").read_text().splitlines()
    column = header.split(",").index("landmark_loss")
    first, last = (float(rows[k].split(",")[column]) for k in (0, -1))
    assert last < 0.5 * first
