"""Which variables there are, what they stand for, and when they are refined."""

import numpy as np
import pytest
from keras import ops

from dlir_tf.models.parameters import Parameters
from dlir_tf.refinement.phases import plan_phases, rate_at
from dlir_tf.refinement.variables import start_variables, to_parameters
from dlir_tf.splines.lattice import INJECTIVITY_LIMIT

from .conftest import AFFINE, make_config, spline

STAGES = [AFFINE, spline([16, 16], downsample=4), spline([8, 8], downsample=2)]


def test_from_nothing_the_transform_grows_stage_by_stage():
    config = make_config(2, STAGES)
    phases = plan_phases(config, 80, from_nothing=True)
    assert [phase.name for phase in phases] == ["affine", "stage 2", "stage 3"]
    assert [phase.factor for phase in phases] == [(2, 2), (4, 4), (2, 2)]
    assert [phase.steps for phase in phases] == [20, 20, 40]
    assert phases[0].variables == ("affine",)
    assert phases[2].variables == ("affine", "control_points_2", "control_points_3")
    for steps in range(1, 12):
        phases = plan_phases(config, steps, from_nothing=True)
        assert sum(phase.steps for phase in phases) == steps
        assert min(phase.steps for phase in phases) > 0
        assert len(phases[-1].variables) == 3


def test_what_a_model_found_is_refined_as_a_whole():
    (phase,) = plan_phases(make_config(2, STAGES), 30, from_nothing=False)
    assert (phase.name, phase.steps, phase.factor) == ("stage 3", 30, (2, 2))
    assert len(phase.variables) == 3


@pytest.mark.parametrize(
    ("from_nothing", "names"),
    [
        (True, ["affine", "stage 2", "stage 3", "stage 4"]),
        (False, ["stage 4"]),
    ],
)
def test_stages_of_the_refinement_alone_come_last(from_nothing, names):
    config = make_config(2, STAGES, refinement={"stages": [spline([4, 4])]})
    phases = plan_phases(config, 50, from_nothing=from_nothing)
    assert [phase.name for phase in phases] == names
    assert phases[-1].factor == (1, 1)
    assert phases[-1].variables[-2:] == ("control_points_3", "control_points_4")
    assert len(phases[-1].variables) == 4
    assert sum(phase.steps for phase in phases) == 50


def test_rates_fall_and_few_steps_that_go_on_from_something_are_small_ones():
    config = make_config(2, STAGES, refinement={"learning_rate": 0.06})

    def rates(steps, *, from_nothing=False, index=0):
        phase = plan_phases(config, steps, from_nothing=from_nothing)[index]
        return [rate_at(config, phase, n) for n in range(1, phase.steps + 1)]

    assert [rates(n)[0] for n in (10, 20, 40, 60)] == [0.015, 0.03, 0.06, 0.06]
    assert rates(4, from_nothing=True)[0] == 0.06
    later = [rates(n, from_nothing=True, index=1)[0] for n in (40, 80, 120)]
    np.testing.assert_allclose(later, [0.03, 0.06, 0.06])
    assert (np.diff(rates(60)) < 0).all()
    assert 0.05 < rates(60)[-1] / 0.06 < 0.06


@pytest.mark.parametrize("injective", [True, False])
def test_variables_stand_for_the_parameters_they_were_made_of(rng, injective):
    stages = [AFFINE, spline([16, 8], injective=injective)]
    config = make_config(2, stages)
    size, limit = (32, 24), INJECTIVITY_LIMIT[2] * np.array([16, 8])
    points = limit * rng.uniform(-0.9, 0.9, (6, 7, 2))
    matrix = np.eye(2, 3) + 0.1 * rng.normal(size=(2, 3))
    start = Parameters(matrix, {"control_points_2": points})
    variables = start_variables(start, config, size)
    assert not np.any(variables["affine"])
    tensors = {name: ops.convert_to_tensor(v) for name, v in variables.items()}
    as_tensor = ops.convert_to_tensor(matrix[None].astype("float32"))
    spacing = ops.convert_to_tensor(np.float32([[1.5, 0.7]]))
    found = to_parameters(tensors, config, as_tensor, spacing, size)
    for name, values in start.named().items():
        np.testing.assert_allclose(found.named()[name][0], values, atol=1e-5)


def test_control_points_at_their_bound_can_still_move():
    """Beyond it, too, as a model in half precision may give them."""
    config = make_config(2, [spline([8, 8])])
    limit = 8 * INJECTIVITY_LIMIT[2]
    points = np.full((7, 8, 2), limit)
    start = Parameters(np.eye(2, 3), {"control_points_1": points})
    loose = start_variables(start, config, (24, 32))["control_points_1"]
    exact = start_variables(start, config, (24, 32), exact=True)["control_points_1"]
    assert np.isfinite(exact).all()
    relative = np.tanh(loose * 8 / limit)
    assert 0.9 < relative.max() < 0.99
    assert np.tanh(exact * 8 / limit).min() > 0.99999
