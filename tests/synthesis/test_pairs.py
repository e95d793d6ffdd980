"""Synthetic pairs: images, labels, points and the motion between them agree."""

import numpy as np
import pytest
from keras import ops

from dlir_tf.compute.compilation import without_islands
from dlir_tf.config.synthesis import Synthesis
from dlir_tf.layers import Warp
from dlir_tf.metrics import jacobian_determinant
from dlir_tf.synthesis.pairs import synthetic_pairs


@pytest.fixture(autouse=True)
def _uncompiled():
    """Most tests ask for other settings, and compiling takes longer than computing."""
    with without_islands():
        yield


SIZES = [(40, 28), (24, 20, 16)]
# Nothing but structures and motion.
CLEAN = dict.fromkeys(("texture", "bias", "gamma", "blur", "noise"), 0.0)
CLEAN |= {"slice_thickness": 1.0, "field_of_view": 0.0}


def settings_for(size, **changes):
    return Synthesis(sizes=(size,), **changes)


def make(seed, size, changes, **options):
    pairs = synthetic_pairs(seed, size, settings_for(size, **changes), **options)
    return {name: ops.convert_to_numpy(values) for name, values in pairs.items()}


@pytest.fixture(params=SIZES, ids=["2-d", "3-d"])
def size(request):
    return request.param


def test_a_seed_decides_everything(size):
    first, again, other = (make(s, size, {}) for s in ((3, 4), (3, 4), (3, 5)))
    for name, values in first.items():
        np.testing.assert_array_equal(again[name], values)
    for name in ("fixed", "moving", "ddf", "fixed_labels"):
        assert np.abs(other[name] - first[name]).max() > 0.1


def test_images_are_as_they_are_prepared(size):
    pairs = make((1, 2), size, {}, batch_size=2)
    for side in ("fixed", "moving"):
        assert pairs[side].shape == (2, *size, 1)
        assert pairs[side].min() >= 0
        assert pairs[side].max() <= 1
        assert (pairs[side].std(axis=tuple(range(1, len(size) + 2))) > 0.02).all()
    assert np.abs(pairs["fixed"][0] - pairs["fixed"][1]).max() > 0.1


def test_structures_have_grey_values_of_their_own(size):
    pairs = make((8, 2), size, {**CLEAN, "same_contrast": 0.0})
    looks = []
    for side in ("fixed", "moving"):
        image, labels = pairs[side], pairs[f"{side}_labels"]
        values = np.unique(labels)
        assert len(values) > 4
        spread = [np.ptp(image[labels == value]) for value in values]
        assert max(spread) < 1e-5
        looks.append({v: image[labels == v].mean() for v in values})
    shared = looks[0].keys() & looks[1].keys()
    assert np.mean([abs(looks[0][v] - looks[1][v]) > 0.05 for v in shared]) > 0.5


def test_the_motion_lays_the_moving_structures_onto_the_fixed_ones(size):
    gains = []
    for seed in range(3):
        pairs = make((seed, 1), size, {"background": 0.0})
        moved = Warp("nearest", fill_value=-1.0)(pairs["moving_labels"], pairs["ddf"])
        moved = ops.convert_to_numpy(moved)
        inside = moved >= 0
        before = (pairs["moving_labels"] == pairs["fixed_labels"])[inside].mean()
        after = (moved == pairs["fixed_labels"])[inside].mean()
        # Nearest neighbours of nearest neighbours differ along the borders.
        assert after > 0.85
        gains.append(after - before)
    assert min(gains) > -0.01
    assert max(gains) > 0.1


def test_motions_move_and_do_not_fold(size):
    amounts = []
    for seed in range(6):
        ddf = make((seed, 9), size, {"deformation": 1.0})["ddf"][0]
        assert jacobian_determinant(ddf).min() > 0
        amounts.append(np.abs(ddf).mean())
    assert max(amounts) > 1
    assert min(amounts) < 0.5 * max(amounts)


def test_points_go_where_the_motion_takes_them(size):
    pairs = make((6, 1), size, {}, num_points=64)
    fixed, moving = pairs["fixed_points"][0], pairs["moving_points"][0]
    weights = pairs["point_weights"][0]
    assert set(np.unique(weights)) == {0, 1}
    for point, partner, counts in zip(fixed, moving, weights, strict=True):
        low = tuple(np.floor(point).astype(int))
        expected = point + pairs["ddf"][0][low]
        # Within a voxel, a motion that can't fold changes by less than one.
        assert np.abs(expected - partner).max() < 1
        if counts:
            assert pairs["fixed_labels"][0][tuple(np.rint(point).astype(int))] > 0
            assert (partner >= 0).all()
            assert (partner <= np.array(size) - 1).all()


def test_labels_that_are_compared_are_shown_in_both(size):
    pairs = make((7, 7), size, {"background": 1.0}, num_labels=6)
    (chosen,) = pairs["label_values"]
    chosen = chosen[chosen > 0]
    assert len(chosen) == len(set(chosen)) > 1
    for side in ("fixed", "moving"):
        shown = pairs[f"{side}_labels"] * (pairs["mask"] > 0)
        assert set(chosen) <= set(np.unique(shown))


def test_outside_of_its_field_of_view_an_image_is_empty(size):
    lost = []
    for seed in range(8):
        pairs = make((seed, 5), size, {"field_of_view": 0.9, "background": 0.0})
        outside = pairs["mask"] == 0
        darker = np.minimum(pairs["fixed"], pairs["moving"])
        assert (darker[outside] == 0).all()
        lost.append(outside.mean())
    assert max(lost) > 0.1
    assert min(lost) == 0


def test_thick_slices_take_details_of_one_axis_away(size):
    changes = {**CLEAN, "texture": 1.0}
    thin = make((2, 2), size, changes)["fixed"]
    thick = [make((s, 2), size, {**changes, "slice_thickness": 8.0}) for s in range(12)]

    def rough(image):
        axes = range(1, len(size) + 1)
        return [np.abs(np.diff(image, 2, axis=a)).mean() for a in axes]

    ratios = [max(r) / min(r) for r in (rough(pairs["fixed"]) for pairs in thick)]
    assert max(ratios) > 2 * max(rough(thin)) / min(rough(thin))


def test_an_atlas_is_shown_where_it_is_asked_for(size):
    atlas = np.zeros((24,) * len(size), np.int32)
    atlas[(slice(6, 18),) * len(size)] = 200
    atlas[(slice(10, 14),) * len(size)] = 77
    pairs = make((1, 1), size, CLEAN, atlas=atlas)
    assert set(np.unique(pairs["fixed_labels"])) <= {0, 77, 200}
    assert set(pairs["label_values"][0]) <= {0, 77, 200}
    assert (pairs["fixed_labels"] == 77).any()
    without = make((1, 1), size, CLEAN, atlas=atlas, shows_atlas=False)
    assert without["fixed_labels"].max() <= 18
