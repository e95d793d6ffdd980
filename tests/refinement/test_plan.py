"""What is refined, when, by how many steps, and how large these are."""

import numpy as np
import pytest

from dlir_tf.refinement.phases import plan_phases

from .conftest import AFFINE, make_config, spline

STAGES = [AFFINE, spline([16, 16], downsample=4), spline([8, 8], downsample=2)]


def phases_of(steps, *, from_nothing, **fields):
    config = make_config(2, STAGES, **fields)
    return plan_phases(config, steps, from_nothing=from_nothing)


def test_from_nothing_the_transform_grows_stage_by_stage():
    phases = phases_of(60, from_nothing=True)
    assert [phase.name for phase in phases] == ["affine", "stage 2", "stage 3"]
    assert [phase.factor for phase in phases] == [
        (2, 2),
        (4, 4),
        (2, 2),
    ]
    assert [phase.steps for phase in phases] == [20, 20, 20]
    for steps in range(1, 12):
        phases = phases_of(steps, from_nothing=True)
        assert sum(phase.steps for phase in phases) == steps
        assert min(phase.steps for phase in phases) > 0
        assert phases[-1].name == "stage 3"


def test_what_a_model_found_is_gone_through_once_more():
    phases = phases_of(30, from_nothing=False)
    assert [phase.name for phase in phases] == ["affine", "stage 4", "stage 5"]
    lattices = [phase.spline.stage.control_point_spacing for phase in phases[1:]]
    assert lattices == [(16, 16), (8, 8)]
    for steps, names in ((14, ["stage 4", "stage 5"]), (3, ["stage 5"])):
        phases = phases_of(steps, from_nothing=False)
        assert [phase.name for phase in phases] == names
        assert sum(phase.steps for phase in phases) == steps


def test_the_coarsest_of_three_lattices_is_left_as_a_model_found_it():
    config = make_config(2, [spline([32, 32]), spline([16, 16]), spline([8, 8])])
    phases = plan_phases(config, 40, from_nothing=False)
    lattices = [phase.spline.stage.control_point_spacing for phase in phases]
    assert lattices == [(16, 16), (8, 8)]
    assert len(plan_phases(config, 40, from_nothing=True)) == 3


def test_from_nothing_every_linear_stage_has_its_turn():
    """What is as free as one before it begins with smaller steps."""
    rigid = AFFINE | {"transform": "rigid"}
    config = make_config(2, [rigid | {"downsample": 4}, rigid, AFFINE])
    phases = plan_phases(config, 60, from_nothing=True)
    assert [phase.name for phase in phases] == ["rigid 1", "rigid 2", "affine 3"]
    assert [phase.factor for phase in phases] == [(4, 4), (2, 2), (2, 2)]
    assert [phase.caution for phase in phases] == [1.0, 0.25, 1.0]
    (phase,) = plan_phases(config, 60, from_nothing=False)
    assert (phase.name, phase.number) == ("affine", 3)


@pytest.mark.parametrize(
    ("from_nothing", "names"),
    [
        (True, ["affine", "stage 2", "stage 3", "stage 6"]),
        (False, ["affine", "stage 4", "stage 5", "stage 6"]),
    ],
)
def test_stages_of_the_refinement_alone_come_last(from_nothing, names):
    own = {"stages": [spline([4, 4])]}
    phases = phases_of(50, from_nothing=from_nothing, refinement=own)
    assert [phase.name for phase in phases] == names
    assert phases[-1].spline.stage.control_point_spacing == (4, 4)
    assert sum(phase.steps for phase in phases) == 50


@pytest.mark.parametrize("from_nothing", [True, False])
def test_the_lattices_of_the_networks_may_be_left_out(from_nothing):
    own = {"networks_lattices": False, "stages": [spline([4, 4]), spline([4, 4])]}
    phases = phases_of(50, from_nothing=from_nothing, refinement=own)
    assert [phase.name for phase in phases] == ["affine", "stage 4", "stage 5"]
    lattices = [phase.spline.stage.control_point_spacing for phase in phases[1:]]
    assert lattices == [(4, 4), (4, 4)]


def test_there_are_at_least_four_voxels_between_control_points():
    """Whatever the networks can afford."""
    stages = [spline([6, 24], downsample=[3, 6]), spline([3, 6], downsample=3)]
    phases = plan_phases(make_config(2, stages), 20, from_nothing=True)
    assert [phase.factor for phase in phases] == [(1, 6), (1, 1)]
    assert phases[0].spline.stage.pooling == (6, 4)


def test_rates_fall_and_few_steps_that_go_on_from_something_are_small_ones():
    config = make_config(2, STAGES, refinement={"learning_rate": 0.06})

    def rates(steps, *, from_nothing=False, index=-1):
        phase = plan_phases(config, steps, from_nothing=from_nothing)[index]
        return [phase.rate(config, n) for n in range(1, phase.steps + 1)]

    assert [rates(n)[0] for n in (4, 30, 60, 90)] == [0.012, 0.03, 0.06, 0.06]
    assert rates(4, from_nothing=True)[0] == 0.06
    assert (np.diff(rates(60)) < 0).all()
    assert 0.05 < rates(90)[-1] / 0.06 < 0.06
