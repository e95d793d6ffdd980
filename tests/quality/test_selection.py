"""Stages that do harm are left out, and only those."""

import numpy as np
import pytest

from dlir_tf.metrics.similarity import most_alike
from dlir_tf.models.parameters import Parameters
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.quality.selection import is_worse, select_stages

from .conftest import SHIFT, make_config, make_images, shift_matrix, uniform


def _axis(ndim, axis, voxels):
    return np.eye(ndim)[axis] * voxels


def _kept(selection):
    return [stage.kept for stage in selection.stages]


def _parameters(config, *shifts):
    """By stage: the affine one, then splines."""
    affine, *splines = shifts
    points = {
        f"control_points_{number}": uniform(config, number, shift)
        for number, shift in enumerate(splines, start=2)
    }
    return Parameters(shift_matrix(affine), points)


def test_good_stages_stay_as_they_are(ndim, pair):
    config = make_config(ndim)
    first = _axis(ndim, 0, SHIFT[ndim][0])
    parameters = _parameters(config, first, SHIFT[ndim] - first, np.zeros(ndim))
    selection = select_stages(pair, parameters, config)
    assert _kept(selection) == [True] * 3
    assert [stage.reason for stage in selection.stages] == [None] * 3
    assert [stage.number for stage in selection.stages] == [1, 2, 3]
    for name, values in parameters.named().items():
        np.testing.assert_array_equal(selection.parameters.named()[name], values)
    # Only the border, where the moving image ends, isn't equal then.
    assert selection.similarity_before < 0.7
    assert selection.similarity_after > 0.9
    assert selection.stages[-1].similarity == selection.similarity_after


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_a_stage_that_spoils_is_left_out_wherever_it_is(ndim, pair, bad):
    config = make_config(ndim)
    away = _axis(ndim, 1, 5.0)
    shifts = [away if place == bad else np.zeros(ndim) for place in range(3)]
    shifts[(bad + 1) % 3] = SHIFT[ndim]
    parameters = _parameters(config, *shifts)
    selection = select_stages(pair, parameters, config)
    assert _kept(selection) == [place != bad for place in range(3)]
    assert "less alike (ncc" in selection.stages[bad].reason
    assert selection.similarity_after > 0.9
    name = ["affine", "control_points_2", "control_points_3"][bad]
    if bad:
        assert name not in selection.parameters.control_points
    else:
        matrix = selection.parameters.matrix
        np.testing.assert_array_equal(matrix, np.eye(ndim + 1)[:-1])
        assert selection.affine_scales is None


def test_stages_that_repair_each_other_stay(ndim, pair):
    """Alone, either of them spoils what the affine stage reached."""
    config = make_config(ndim)
    detour = _axis(ndim, 0, 6.0)
    shifts = SHIFT[ndim], detour, -detour
    selection = select_stages(pair, _parameters(config, *shifts), config)
    assert _kept(selection) == [True] * 3
    assert selection.stages[0].reason is None
    for stage in selection.stages[1:]:
        assert stage.reason.endswith("but the stages together make up for it")
    assert selection.similarity_after > 0.9
    again = select_stages(pair, _parameters(config, SHIFT[ndim]), config)
    assert selection.similarity_after == pytest.approx(again.similarity_after, abs=1e-5)


def test_if_every_stage_spoils_none_is_left(ndim):
    """The images lie on each other already."""
    config = make_config(ndim)
    images = make_images(ndim, shift=np.zeros(ndim, int))
    pair = prepare_pair(*images, config)
    away = _axis(ndim, 0, 2.0)
    selection = select_stages(pair, _parameters(config, away, away, away), config)
    assert _kept(selection) == [False] * 3
    assert list(selection.parameters.named()) == ["affine"]
    assert selection.similarity_before == selection.similarity_after
    assert selection.similarity_after == pytest.approx(1, abs=1e-6)


def test_without_doing_no_harm_all_stay_and_are_measured(ndim, pair):
    config = make_config(ndim)
    parameters = _parameters(config, SHIFT[ndim], _axis(ndim, 0, 6.0))
    selection = select_stages(pair, parameters, config, do_no_harm=False)
    assert _kept(selection) == [True, True]
    assert set(selection.parameters.named()) == set(parameters.named())
    assert selection.similarity_after < selection.stages[0].similarity
    assert "less alike" in selection.stages[1].reason


def test_a_stage_that_folds_is_left_out_even_if_no_similarity_shows_it(ndim):
    """Nothing changes along the axis that it pushes back and forth."""
    config = make_config(ndim)
    fixed, moving = make_images(ndim)
    flat = [
        image.with_array(np.broadcast_to(image.array[:, :1], image.shape))
        for image in (fixed, moving)
    ]
    pair = prepare_pair(*flat, config)
    parameters = _parameters(config, np.zeros(ndim), np.zeros(ndim), np.zeros(ndim))
    folding = np.array(parameters.control_points["control_points_3"])
    back_and_forth = 20.0 * (-1.0) ** np.arange(folding.shape[1])
    folding[..., 1] = back_and_forth.reshape([-1, 1][: ndim - 1])
    parameters.control_points["control_points_3"] = folding
    selection = select_stages(pair, parameters, config)
    assert _kept(selection) == [True, True, False]
    stage = selection.stages[2]
    assert stage.smallest_jacobian < 0
    assert "of the voxels fold, instead of 0 %" in stage.reason
    assert stage.similarity == pytest.approx(selection.similarity_after, abs=1e-5)
    # A mirror folds everywhere.
    mirror = np.diag([-1.0, 1.0, 1.0])[:ndim, :ndim]
    mirror = np.column_stack([mirror, np.zeros(ndim)])
    selection = select_stages(pair, Parameters(mirror, {}), config)
    assert _kept(selection) == [False]
    assert "100 % of the voxels fold" in selection.stages[0].reason


def test_a_stage_like_the_one_before_it_may_find_nothing_more(ndim, pair):
    coarse, fine = make_config(ndim, affine=False).stages
    config = make_config(ndim, stages=[coarse, fine, fine])
    shifts = (SHIFT[ndim], np.zeros(ndim), _axis(ndim, 1, 5.0))
    points = {
        f"control_points_{number}": uniform(config, number, shift)
        for number, shift in enumerate(shifts, start=1)
    }
    stages = select_stages(
        pair, Parameters(shift_matrix(np.zeros(ndim)), points), config
    ).stages
    assert [stage.looks_again for stage in stages] == [False, False, True]
    assert [stage.kept for stage in stages] == [True, True, False]


def test_the_share_of_control_points_at_their_bound(ndim, pair):
    config = make_config(ndim, affine=False, num_splines=1)
    stage = config.stages[0].model_dump() | {"injective": True}
    config = make_config(ndim, stages=[stage])
    points = np.array(uniform(config, 1, np.zeros(ndim)))
    limit = 8 / (2.0464 if ndim == 2 else 2.4795)
    corner = (slice(0, 2),) * ndim
    points[(*corner, 1)] = -0.99 * limit
    points[..., 0] = 0.97 * limit
    parameters = Parameters(np.eye(ndim + 1)[:-1], {"control_points_1": points})
    (outcome,) = select_stages(pair, parameters, config).stages
    lattice = np.prod(points.shape[:-1])
    assert outcome.saturated_percent == pytest.approx(100 * 2**ndim / lattice)


def test_scales_are_those_of_the_world(ndim, pair):
    """In voxels of unequal size, a turn looks like a shear."""
    config = make_config(ndim)
    turn = np.eye(ndim)
    turn[:2, :2] = [[0.8, -0.6], [0.6, 0.8]]
    linear = turn @ np.diag([1.25, 1.0, 0.7][:ndim])
    spacing = np.array(pair.grid.spacing)
    matrix = np.column_stack([linear * spacing / spacing[:, None], np.zeros(ndim)])
    selection = select_stages(pair, Parameters(matrix, {}), config, do_no_harm=False)
    np.testing.assert_allclose(selection.affine_scales, [1.25, 1.0, 0.7][:ndim])


@pytest.mark.parametrize("kind", ["ncc", "windowed_ncc", "mse"])
def test_worse_is_more_than_a_thousandth_of_the_dissimilarity(kind):
    best = most_alike(kind)
    assert not is_worse(kind, best - 0.2001, best - 0.2)
    assert is_worse(kind, best - 0.2003, best - 0.2)
    assert is_worse(kind, float("nan"), best - 0.2)
    assert not is_worse(kind, best, best)
    assert is_worse(kind, best - 1e-5, best)
