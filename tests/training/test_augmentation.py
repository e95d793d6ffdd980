"""Augmentation: ramps tell which voxel came from where."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.config import Augmentation
from dlir_tf.layers.sampling import sample_linear
from dlir_tf.training.augmentation import augment

SIZE, SPACING, NUM = (30, 22), np.array([1.5, 2.5]), 48
OFF = Augmentation(rotation_degrees=0, scale=0, translation=0, gamma=0, noise=0)


def ramps():
    """`NUM` pairs: fixed shows the first coordinate, moving the second, over 100."""
    rows, columns = np.indices(SIZE, np.float32)[..., None] / 100
    return {
        "fixed": tf.constant(np.stack([rows] * NUM)),
        "moving": tf.constant(np.stack([columns] * NUM)),
        "mask": tf.ones((NUM, *SIZE, 1)),
        "spacing": tf.constant(np.stack([SPACING] * NUM), tf.float32),
    }


def change(batch, seed=(1, 2), **ranges):
    config = OFF.model_copy(update=ranges)
    return {k: np.array(v) for k, v in augment(batch, config, seed).items()}


def poses(changed):
    """Recovers each pair's matrix (voxel to voxel) from its changed ramps."""
    points = np.indices(SIZE).reshape(2, -1).T
    homogeneous = np.column_stack([points, np.ones(len(points))])
    for fixed, moving, mask in zip(
        changed["fixed"], changed["moving"], changed["mask"], strict=True
    ):
        seen = np.stack([fixed, moving], -1).reshape(-1, 2) * 100
        inside = mask.ravel() > 0.999
        solution, *_ = np.linalg.lstsq(homogeneous[inside], seen[inside], rcond=None)
        assert np.abs(homogeneous[inside] @ solution - seen[inside]).max() < 1e-3
        yield solution.T


def test_poses_stay_in_their_ranges_and_use_them():
    ranges = {"rotation_degrees": 20.0, "scale": 0.2, "translation": 0.15}
    changed = change(ramps(), **ranges)
    angles, scales, shifts = [], [], []
    for matrix in poses(changed):
        linear = SPACING[:, None] * matrix[:, :2] / SPACING
        scale = np.linalg.norm(linear, axis=0)
        rotation = linear / scale
        np.testing.assert_allclose(rotation.T @ rotation, np.eye(2), atol=1e-4)
        angles.append(np.degrees(np.arctan2(rotation[1, 0], rotation[0, 0])))
        scales.append(scale - 1)
        centre = (np.array(SIZE) - 1) / 2
        moved = matrix[:, :2] @ centre + matrix[:, 2] - centre
        shifts.append(moved / (np.array(SIZE) / 2))
    for values, limit in ((angles, 20.0), (scales, 0.2), (shifts, 0.15)):
        assert np.max(values) <= limit + 1e-3
        assert np.min(values) >= -limit - 1e-3
        assert np.max(values) > 0.6 * limit
        assert np.min(values) < -0.6 * limit
        assert np.std(values) > 0.3 * limit


def test_the_mask_ends_where_the_image_ends():
    changed = change(ramps(), rotation_degrees=30.0, scale=0.3, translation=0.3)
    points = np.indices(SIZE).reshape(2, -1).T
    last, num_outside = np.array(SIZE) - 1, 0
    for matrix, mask in zip(poses(changed), changed["mask"], strict=True):
        source = points @ matrix[:, :2].T + matrix[:, 2]
        outside = ((source < -1) | (source > last + 1)).any(1)
        inside = ((source > 0.01) & (source < last - 0.01)).all(1)
        num_outside += outside.sum()
        assert (mask.ravel()[outside] == 0).all()
        np.testing.assert_allclose(mask.ravel()[inside], 1.0, atol=1e-5)
    assert num_outside > NUM


def test_without_relative_the_pair_keeps_its_true_relation():
    """What lies two voxels on in the moving image still does."""
    batch = ramps()
    batch["moving"] = batch["fixed"] + 0.02
    changed = change(batch, rotation_degrees=15.0, scale=0.1, translation=0.1)
    np.testing.assert_allclose(changed["moving"] - changed["fixed"], 0.02, atol=1e-6)
    assert np.abs(changed["fixed"] - batch["fixed"]).max() > 0.02


def test_relative_moves_the_moving_image_alone_by_its_part():
    batch = ramps()
    batch["moving"] = batch["fixed"]
    changed = change(batch, translation=0.2, relative=0.5)
    apart = (changed["moving"] - changed["fixed"]) * 100
    inside = changed["mask"] > 0.999
    assert inside.mean() > 0.5
    # Where either image only repeats its border, the mask is zero.
    for shift, known in zip(apart, inside, strict=True):
        assert np.ptp(shift[known]) < 1e-3
    largest = np.abs(apart[inside]).max()
    assert 0.5 * 0.1 * 15 < largest <= 0.1 * 15 + 1e-3


@pytest.mark.parametrize("ranges", [{"gamma": 0.9}, {"noise": 0.5}, {"gamma": 0.5}])
def test_intensities_stay_between_zero_and_one(ranges, rng):
    batch = ramps()
    image = rng.uniform(size=(NUM, *SIZE, 1)).astype(np.float32)
    image[:, 0], image[:, 1] = 0, 1
    batch["fixed"] = batch["moving"] = tf.constant(image)
    changed = change(batch, **ranges)
    for name in ("fixed", "moving"):
        assert changed[name].min() >= 0
        assert changed[name].max() <= 1
        assert np.abs(changed[name] - image).max() > 0.05
    assert (changed["fixed"] != changed["moving"]).any()
    if "gamma" in ranges:
        np.testing.assert_allclose(changed["fixed"][:, 1], 1)
        exponent = np.log(changed["fixed"][:, 2:]) / np.log(image[:, 2:])
        assert exponent.min() > 1 - ranges["gamma"] - 1e-3
        assert exponent.max() < 1 + ranges["gamma"] + 1e-3


def test_equal_seeds_change_equally_and_others_otherwise():
    ranges = {"rotation_degrees": 9.0, "relative": 0.5, "gamma": 0.2, "noise": 0.02}
    first, again = (change(ramps(), (5, 6), **ranges) for _ in range(2))
    for name, array in first.items():
        np.testing.assert_array_equal(array, again[name])
    for seed in ((5, 7), (6, 6)):
        assert (change(ramps(), seed, **ranges)["fixed"] != first["fixed"]).any()


def test_all_off_changes_nothing():
    before = ramps()
    for name, array in change(ramps()).items():
        np.testing.assert_array_equal(array, before[name])


def test_in_three_dimensions_both_images_move_alike(rng):
    image = rng.uniform(size=(2, 8, 10, 6, 1)).astype(np.float32)
    batch = {
        "fixed": tf.constant(image),
        "moving": tf.constant(1 - image),
        "mask": tf.ones((2, 8, 10, 6, 1)),
        "spacing": tf.constant([[1.0, 2.0, 8.0]] * 2),
    }
    changed = change(batch, rotation_degrees=10.0, scale=0.1, translation=0.1)
    np.testing.assert_allclose(changed["fixed"] + changed["moving"], 1, atol=1e-5)
    assert np.abs(changed["fixed"] - image).max() > 0.1


LATTICE = (8, 4)


def deformed(batch, deformation, seed=(1, 2), **ranges):
    config = OFF.model_copy(update={"deformation": deformation, **ranges})
    return {k: np.array(v) for k, v in augment(batch, config, seed, LATTICE).items()}


def both_ramps():
    """`NUM` pairs of equal images with both coordinates, over 100, as channels."""
    both = np.moveaxis(np.indices(SIZE, np.float32), 0, -1) / 100
    batch = ramps()
    return batch | dict.fromkeys(("fixed", "moving"), tf.constant([both] * NUM))


def test_deformations_bend_each_image_by_itself_without_folding():
    changed = deformed(both_ramps(), 1.0)
    inside = changed["mask"][..., 0] > 0.999
    assert inside.mean() > 0.5
    limits = np.array(LATTICE) / 2.0464
    for name in ("fixed", "moving"):
        places = changed[name] * 100
        moved = places - np.moveaxis(np.indices(SIZE), 0, -1)
        largest = np.abs(moved[inside]).max(0)
        assert (largest <= limits + 1e-3).all()
        assert (largest > 0.4 * limits).all()
        by_row, by_column = np.gradient(places, axis=(1, 2))
        determinant = np.linalg.det(np.stack([by_row, by_column], -1))
        assert determinant[inside].min() > 0
    assert np.abs(changed["fixed"] - changed["moving"])[inside].max() > 0.01


def test_deformations_scale_with_their_setting():
    largest = [
        np.abs(deformed(both_ramps(), part)["fixed"] - both_ramps()["fixed"]).max()
        for part in (0.25, 0.5)
    ]
    assert largest[1] == pytest.approx(2 * largest[0], rel=1e-3)


@pytest.mark.parametrize("rotation", [0.0, 20.0])
def test_landmarks_stay_on_what_they_mark(rotation, rng):
    points = rng.uniform(6, 15, size=(NUM, 5, 2)).astype(np.float32)
    batch = both_ramps() | {
        "fixed_points": tf.constant(points),
        "moving_points": tf.constant(points),
        "point_weights": tf.ones((NUM, 5)),
    }
    changed = deformed(batch, 1.0, rotation_degrees=rotation, relative=0.5)
    for side in ("fixed", "moving"):
        places = changed[f"{side}_points"]
        assert np.abs(places - points).max() > 1
        shown = 100 * np.array(sample_linear(changed[side], places))
        known = np.array(sample_linear(changed["mask"], places))[..., 0] > 0.999
        assert known.mean() > 0.9
        np.testing.assert_allclose(shown[known], points[known], atol=2e-3)


def test_labels_bend_with_their_image():
    batch = both_ramps()
    labels = tf.cast(batch["fixed"][..., :1] > 0.12, tf.float32)
    changed = deformed(batch | {"fixed_labels": labels}, 1.0)
    expected = changed["fixed"][..., :1] > 0.12
    inside = changed["mask"] > 0.999
    assert (changed["fixed_labels"] == expected)[inside].mean() > 0.98
    assert (np.array(labels) == expected)[inside].mean() < 0.98
