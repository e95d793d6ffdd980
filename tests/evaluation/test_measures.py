"""Every measure against truth that was made."""

import dataclasses

import numpy as np
import pytest
from shifted_pairs import (
    SHAPE,
    SHIFT,
    SPACING,
    identity,
    masked_pair,
    shifted_pair,
    true_shift,
    world_transform,
)

from dlir_tf.evaluation.measures import measure
from dlir_tf.images import Image
from dlir_tf.metrics import SurfaceDistances
from dlir_tf.pairs.loading import LoadedPair
from dlir_tf.transforms import Transform
from dlir_tf.transforms.bspline import stage_bspline


def test_true_transform_brings_every_measure_to_its_best():
    pair = shifted_pair()
    measured = measure(pair, true_shift(pair.fixed))
    assert measured.ncc == pytest.approx(1)
    assert measured.dice == {1: 1, 2: 1, 3: 0, 4: 0, 900: 1}
    for label in (1, 2, 900):
        assert measured.surface[label] == SurfaceDistances(0, 0)
    np.testing.assert_allclose(measured.landmark_errors, 0, atol=1e-12)
    assert measured.folded_percent == 0
    assert measured.std_log_jacobian == pytest.approx(0, abs=1e-6)


def test_labels_are_moved_by_nearest_neighbour():
    pair = shifted_pair()
    world = np.eye(4)
    world[:3, 3] = pair.fixed.affine[:3, :3] @ np.add(SHIFT, [0.4, -0.3, 0.2])
    measured = measure(pair, world_transform(world))
    assert measured.dice == {1: 1, 2: 1, 3: 0, 4: 0, 900: 1}


def test_no_transform_gives_the_distances_of_the_shift_in_mm():
    pair = shifted_pair()
    measured = measure(pair, identity(pair.fixed))
    distance = np.linalg.norm(SHIFT * SPACING)
    np.testing.assert_allclose(measured.landmark_errors, distance)
    assert measured.surface[1] == pytest.approx((distance, distance))
    # Of the box, 2 of 4, 2 of 5 and 1 of 2 voxels overlap along the axes.
    assert measured.dice[2] == pytest.approx(2 * 2 * 1 / 40)
    overlap = np.corrcoef(pair.fixed.array.ravel(), pair.moving.array.ravel())[0, 1]
    assert measured.ncc == pytest.approx(overlap, abs=1e-6)


def test_label_in_one_image_only_has_no_overlap_and_no_distances():
    pair = shifted_pair()
    measured = measure(pair, identity(pair.fixed))
    for label in (3, 4):
        assert measured.dice[label] == 0
        assert np.isnan(measured.surface[label]).all()


def test_label_moved_out_of_sight_still_counts():
    pair = shifted_pair()
    world = np.eye(4)
    world[:3, 3] = 500
    measured = measure(pair, world_transform(world))
    assert measured.dice == dict.fromkeys((1, 2, 3, 4, 900), 0)
    assert np.isnan(measured.ncc)


def test_labels_without_background_are_compared():
    pair = shifted_pair()
    ones = Image(np.full(SHAPE, 5, np.int32), pair.fixed.affine)
    pair = dataclasses.replace(pair, fixed_labels=ones, moving_labels=ones)
    measured = measure(pair, true_shift(pair.fixed))
    visible = np.prod(np.array(SHAPE) - np.abs(SHIFT)) / np.prod(SHAPE)
    assert list(measured.dice) == [5]
    assert measured.dice[5] == pytest.approx(2 * visible / (1 + visible))
    assert measured.surface[5].hd95 > 0


def test_images_on_different_grids_are_compared_in_the_world():
    """The moving image is stored with its axes permuted, one of them flipped."""
    pair = shifted_pair()
    permute = np.zeros((4, 4))
    permute[[0, 1, 2, 3], [1, 2, 0, 3]] = 1
    permute[2, [0, 3]] = -1, SHAPE[2] - 1

    def stored_otherwise(image):
        array = np.transpose(image.array, (2, 0, 1))[::-1]
        return Image(array, image.affine @ permute)

    other = dataclasses.replace(
        pair,
        moving=stored_otherwise(pair.moving),
        moving_labels=stored_otherwise(pair.moving_labels),
    )
    expected = measure(pair, identity(pair.fixed))
    measured = measure(other, identity(pair.fixed))
    assert measured.dice == expected.dice
    assert measured.ncc == pytest.approx(expected.ncc, abs=1e-3)


def test_similarity_counts_only_what_is_inside_both_masks():
    pair = masked_pair()
    measured = measure(pair, true_shift(pair.fixed))
    assert measured.ncc == pytest.approx(1)
    for name in ("fixed_mask", "moving_mask"):
        without = dataclasses.replace(pair, **{name: None})
        assert measure(without, true_shift(pair.fixed)).ncc < 0.9
    # Without a transform: the voxels where both masks lie on the same grid.
    both = pair.fixed_mask.array & pair.moving_mask.array
    expected = np.corrcoef(pair.fixed.array[both], pair.moving.array[both])[0, 1]
    assert measure(pair, identity(pair.fixed)).ncc == pytest.approx(expected, abs=1e-6)


def test_between_voxels_nothing_from_outside_the_moving_mask_shows():
    """By linear interpolation, half of a value at the mask's edge would be garbage."""
    pair, values = masked_pair(), []
    world = np.eye(4)
    world[:3, 3] = pair.fixed.affine[:3, :3] @ np.add(SHIFT, [0.5, -0.4, 0.3])
    for garbage in (0, 9000):
        moving = np.where(pair.moving_mask.array, pair.moving.array, garbage)
        other = dataclasses.replace(pair, moving=pair.moving.with_array(moving))
        values.append(measure(other, world_transform(world)).ncc)
    assert values[0] == pytest.approx(values[1], abs=1e-9)
    assert 0 < values[0] < 1


def test_masks_change_nothing_but_the_similarity():
    pair = masked_pair()
    plain = dataclasses.replace(pair, fixed_mask=None, moving_mask=None)
    masked, expected = (measure(p, true_shift(p.fixed)) for p in (pair, plain))
    for name in ("dice", "folded_percent", "std_log_jacobian"):
        assert getattr(masked, name) == getattr(expected, name)
    np.testing.assert_equal(masked.surface, expected.surface)
    np.testing.assert_array_equal(masked.landmark_errors, expected.landmark_errors)
    ones = pair.fixed.with_array(np.ones(SHAPE, bool))
    whole = dataclasses.replace(pair, fixed_mask=ones, moving_mask=ones)
    assert measure(whole, true_shift(pair.fixed)).ncc == expected.ncc


def test_masks_that_miss_each_other_give_no_similarity():
    pair = masked_pair()
    world = np.eye(4)
    world[:3, 3] = pair.fixed.affine[:3, :3] @ [-9, 0, 0]
    assert np.isnan(measure(pair, world_transform(world)).ncc)


def test_strong_shrinking_folds_nothing_on_any_grid():
    """Displacements taken for voxels, which they aren't, would fold here."""
    pair = shifted_pair()
    world = np.diag([0.3, 0.3, 0.3, 1.0])
    assert measure(pair, world_transform(world)).folded_percent == 0
    world[0, 0] = -0.3
    assert measure(pair, world_transform(world)).folded_percent == 100


def test_jacobian_agrees_with_derivatives_in_the_world(rng):
    fixed = shifted_pair().fixed
    control_points = rng.uniform(-3, 3, (9, 9, 7, 3))
    grid = fixed.affine @ np.diag([0.5, 0.6, 0.5, 1.0])
    transform = Transform((stage_bspline(control_points, (8, 8, 8), grid),))
    voxels = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), -1)
    points = voxels.reshape(-1, 3) @ fixed.affine[:3, :3].T + fixed.affine[:3, 3]
    columns = [
        (transform.map_points(points + e) - transform.map_points(points - e)) / 0.02
        for e in 0.01 * np.eye(3)
    ]
    true = np.log(np.linalg.det(np.stack(columns, -1))).std()
    measured = measure(LoadedPair(fixed, fixed), transform).std_log_jacobian
    assert true > 0.1
    assert measured == pytest.approx(true, rel=0.15)
