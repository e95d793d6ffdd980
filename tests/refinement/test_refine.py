"""Refinement: known motions are found, and nothing is ever made worse."""

import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.metrics import jacobian_determinant
from dlir_tf.models.parameters import Parameters
from dlir_tf.models.world import build_transform
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.refinement import phases, refine
from dlir_tf.splines.lattice import INJECTIVITY_LIMIT

from .conftest import (
    AFFINE,
    SPACINGS,
    bulge,
    make_config,
    moved_by,
    organ,
    spline,
    texture,
)


def errors(case, parameters, where=True):
    """In mm, at voxels a few mm from the border, where the images tell."""
    transform = build_transform(case.pair, parameters, case.config)
    found = transform.map_points(case.places.reshape(-1, case.config.ndim))
    difference = found.reshape(case.places.shape) - case.places - case.displacement
    inner = (slice(4, -4), slice(4, -4), slice(1, -1))[: case.config.ndim]
    where = np.broadcast_to(where, case.fixed.shape)[inner]
    return np.linalg.norm(difference, axis=-1)[inner][where]


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_known_motion_is_found_from_nothing(known, ndim):
    case = known[ndim]
    looks = []
    result = refine(
        case.pair, case.config, 120, on_progress=lambda *look: looks.append(look)
    )
    length = np.linalg.norm(case.displacement, axis=-1)
    error = errors(case, result.parameters, where=length > 2)
    assert length.max() > 5
    assert np.mean(error) < {2: 0.2, 3: 0.6}[ndim]
    ddf = build_transform(case.pair, result.parameters, case.config).displacement(
        case.fixed
    )
    assert jacobian_determinant(ddf / SPACINGS[ndim]).min() > 0
    assert result.loss_after < 0.05 * result.loss_before
    assert {phase for phase, *_ in looks} == {"stage 1", "stage 2"}
    assert all(1 <= step <= steps for _, step, steps, _ in looks)
    assert looks[-1][3] < 0.1 * looks[0][3]


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_known_affine_transform_is_found(ndim):
    matrix = np.eye(ndim) + 0.06 * np.sin(np.arange(ndim**2)).reshape(ndim, ndim)
    shift = np.array([1.0, -4.0, 2.0])[:ndim]
    config = make_config(ndim, [AFFINE | {"downsample": 1}])
    case = moved_by(lambda x: x @ matrix.T + shift, ndim, config, organ)
    result = refine(case.pair, config, 200)
    assert set(result.parameters.named()) == {"affine"}
    assert np.mean(errors(case, result.parameters)) < 0.2


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize(("kind", "scale"), [("rigid", 1.0), ("similarity", 1.08)])
def test_a_known_rigid_motion_is_found_and_none_but_one(kind, scale, ndim):
    """In images that are squeezed a little, too, which it must not follow."""
    turn = np.eye(3)
    turn[:2, :2] = [[np.cos(0.15), -np.sin(0.15)], [np.sin(0.15), np.cos(0.15)]]
    matrix, shift = scale * turn[:ndim, :ndim], np.array([9.0, -9.0, 2.0])[:ndim]
    config = make_config(ndim, [AFFINE | {"transform": kind, "downsample": 1}])
    case = moved_by(lambda x: x @ matrix.T + shift, ndim, config, organ)
    result = refine(case.pair, config, 200)
    assert np.mean(errors(case, result.parameters)) < {2: 0.03, 3: 0.15}[ndim]
    squeezed = matrix @ np.diag([1.05, 0.95, 1.0][:ndim])
    case = moved_by(lambda x: x @ squeezed.T + shift, ndim, config, organ)
    found = build_transform(
        case.pair, refine(case.pair, config, 200).parameters, config
    )
    linear = found.affine_part[:-1, :-1]
    size = np.abs(np.linalg.det(linear)) ** (1 / ndim)
    np.testing.assert_allclose(linear.T @ linear, size**2 * np.eye(ndim), atol=1e-12)
    assert abs(size - 1) < 1e-12 if kind == "rigid" else 1.03 < size < 1.13


def test_refinement_goes_on_from_what_a_model_found(known):
    case = known[2]
    coarse = refine(case.pair, case.config, 8)
    before = {k: values.copy() for k, values in coarse.parameters.named().items()}
    phases = set()
    finer = refine(
        case.pair,
        case.config,
        80,
        start=coarse.parameters,
        on_progress=lambda phase, *_: phases.add(phase),
    )
    assert phases == {"stage 3", "stage 4"}  # the same lattices once more
    assert finer.loss_before == pytest.approx(coarse.loss_after, rel=1e-3)
    assert finer.loss_after < 0.2 * finer.loss_before
    error = np.mean(errors(case, finer.parameters))
    assert error < 0.3 * np.mean(errors(case, coarse.parameters))
    for name, values in before.items():
        np.testing.assert_array_equal(coarse.parameters.named()[name], values)


@pytest.mark.parametrize("ndim", [2, 3])
def test_few_steps_from_a_good_start_bring_something(known, ndim):
    """They would overshoot if they were as large as the first of many."""
    case = known[ndim]
    good = refine(case.pair, case.config, 40).parameters
    for steps in (3, 6, 10):
        result = refine(case.pair, case.config, steps, start=good)
        assert result.loss_after < 0.9 * result.loss_before


@pytest.mark.parametrize("ndim", [2, 3])
def test_few_steps_a_phase_get_further_with_caution(known, ndim, monkeypatch):
    case = known[ndim]
    good = refine(case.pair, case.config, 40).parameters
    cautious = refine(case.pair, case.config, 20, start=good)
    monkeypatch.setattr(phases, "_ENOUGH", 1)
    bold = refine(case.pair, case.config, 20, start=good)
    assert cautious.loss_after < 0.9 * bold.loss_after


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_further_stage_finds_what_the_others_cannot_follow(ndim):
    """Whose control points are too far apart for the bulge."""
    thin = [1] * (ndim - 2)
    stages = [spline([32, 32, *thin], downsample=[2, 2, *thin])]
    further = {"stages": [spline([8, 8, *thin])]}
    alone = moved_by(bulge, ndim, make_config(ndim, stages))
    helped = moved_by(bulge, ndim, make_config(ndim, stages, refinement=further))
    start = refine(alone.pair, alone.config, 60).parameters
    coarse, fine = (
        refine(case.pair, case.config, 80, start=start) for case in (alone, helped)
    )
    names = [set(result.parameters.named()) for result in (coarse, fine)]
    assert names[1] - names[0] == {"control_points_3"}
    error = np.mean(errors(helped, fine.parameters))
    assert error < 0.5 * np.mean(errors(alone, coarse.parameters))


def test_what_cannot_get_better_comes_back_as_it_was(known):
    """Whatever rate would throw it where."""
    still = moved_by(lambda x: x, 2)
    nothing = refine(still.pair, still.config, 30)
    assert nothing.loss_after == nothing.loss_before
    assert set(nothing.parameters.named()) == {"affine"}
    case = known[2]
    good = refine(case.pair, case.config, 120)
    wild = {"refinement": {"learning_rate": 100.0}}
    worse = refine(case.pair, make_config(2, **wild), 5, start=good.parameters)
    assert worse.loss_after <= worse.loss_before
    for name, values in good.parameters.named().items():
        np.testing.assert_array_equal(worse.parameters.named()[name], values)


def test_it_stops_when_it_no_longer_gets_better(known):
    case = known[2]
    result = refine(case.pair, case.config, 3000)
    assert result.steps < 500
    assert np.mean(errors(case, result.parameters)) < 0.15


def test_results_do_not_depend_on_what_was_refined_before(known):
    case, other = known[2], moved_by(lambda x: 2 * x - bulge(x), 2)
    first = refine(case.pair, case.config, 12)
    refine(other.pair, other.config, 12)
    again = refine(case.pair, case.config, 12)
    assert first.loss_after == again.loss_after
    for name, values in first.parameters.named().items():
        np.testing.assert_array_equal(again.parameters.named()[name], values)


@pytest.mark.parametrize("names", [("moving_mask",), ("fixed_mask", "moving_mask")])
def test_what_lies_outside_a_mask_does_not_count(names):
    """An artefact that stays where it is, while the texture goes 3 mm."""
    config = make_config(2, [spline([16, 16], bending_energy=10.0)])
    case = moved_by(lambda x: x + np.array([3.0, 0.0]), 2, config, organ)
    inside = np.ones(case.fixed.shape, bool)
    inside[24:44, 4:24] = False
    for image in (case.fixed, case.moving):
        image.array[26:40, 6:20] = 2.0
    mask = case.fixed.with_array(inside)
    found = []
    for masks in ({}, dict.fromkeys(names, mask)):
        pair = prepare_pair(case.fixed, case.moving, config, **masks)
        result = refine(pair, config, 80)
        case.pair = pair
        found.append(np.mean(errors(case, result.parameters)))
    assert found[1] < 0.35 * found[0]
    assert found[1] < 0.3


def test_stages_stay_one_to_one_however_much_is_asked_of_them():
    """A shift by more than a fine lattice alone may do."""
    config = make_config(2, [spline([4, 4], bending_energy=0.0)])
    case = moved_by(lambda x: x + np.array([6.0, 0.0]), 2, config)
    (points,) = refine(case.pair, config, 60).parameters.control_points.values()
    limit = 4 * INJECTIVITY_LIMIT[2]
    assert 0.9 * limit < np.abs(points).max() <= limit * (1 + 1e-6)
    free = make_config(2, [spline([4, 4], injective=False, bending_energy=0.0)])
    (points,) = refine(case.pair, free, 60).parameters.control_points.values()
    assert np.abs(points).max() > limit


def test_an_affine_transform_is_not_let_out_of_the_image(monkeypatch):
    """Where two empty places are more alike than two things that don't fit."""

    def seen(places):
        bright = np.prod(np.abs(places - [33.0, 28.0]) < [26, 20], axis=-1)
        return bright * (1 + 0.05 * texture(places))

    settings = {"similarity": {"kind": "mse"}, "refinement": {"learning_rate": 0.1}}
    config = make_config(2, [AFFINE], **settings)
    case = moved_by(lambda x: x, 2, config, seen)
    dark = case.fixed.with_array(0.1 * texture(case.places).astype(np.float32))
    pair = prepare_pair(dark, case.moving, config)
    kept = refine(pair, config, 100)
    assert np.abs(kept.parameters.matrix[:, -1]).max() < 10
    monkeypatch.setattr("dlir_tf.refinement.drift.LEAST_OVERLAP", 0.0)
    drifted = refine(pair, config, 100)
    assert drifted.loss_after < kept.loss_after


def test_what_cannot_be_refined_is_refused(known):
    case = known[2]
    with pytest.raises(InputError, match="at least one step is needed"):
        refine(case.pair, case.config, 0)
    points = np.full((7, 8, 2), np.nan)
    start = Parameters(np.eye(2, 3), {"control_points_1": points})
    with pytest.raises(InputError, match="before the refinement is nan"):
        refine(case.pair, case.config, 2, start=start)
    thin = np.zeros(case.fixed.shape, bool)
    thin[20] = True
    pair = prepare_pair(
        case.fixed,
        case.moving,
        case.config,
        fixed_mask=case.fixed.with_array(thin),
    )
    with pytest.raises(InputError, match="fixed_mask is too thin for stage 1"):
        refine(pair, case.config, 20)


def test_a_mask_is_as_thick_as_the_images_of_its_phase_need(known):
    """Which are finer than the stage's own where its lattice is fine."""
    case = known[2]
    stages = [spline([16, 16], downsample=4), spline([8, 8], downsample=4)]
    config = make_config(2, stages)
    masks = []
    for width in (1, 2):
        thin = np.zeros(case.fixed.shape, bool)
        thin[:, 24 : 24 + width] = True
        masks.append(case.fixed.with_array(thin))
    for mask in masks:
        pair = prepare_pair(case.fixed, case.moving, config, fixed_mask=mask)
        with pytest.raises(InputError, match="fixed_mask is too thin for stage 1"):
            refine(pair, config, 20)
    fine = make_config(2, [spline([8, 8], downsample=4)])
    pair = prepare_pair(case.fixed, case.moving, fine, fixed_mask=masks[0])
    with pytest.raises(InputError, match=r"of 2 × 2 voxels of the working grid"):
        refine(pair, fine, 20)
