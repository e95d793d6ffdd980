"""The order of training and its learning rates."""

import pytest

from dlir_tf.training.phases import Phase, training_phases


def test_stage_after_stage_then_all_together(make_config):
    config = make_config("affine bspline bspline", steps=50, joint_steps=9)
    phases = training_phases(config)
    assert [(p.name, p.num_frozen, p.num_stages, p.steps) for p in phases] == [
        ("stage_1_affine", 0, 1, 50),
        ("stage_2_bspline", 1, 2, 50),
        ("stage_3_bspline", 2, 3, 50),
        ("joint", 0, 3, 9),
    ]
    assert phases[-1].learning_rate == config.training.joint_learning_rate


def test_a_stage_overrides_the_training_and_steps_override_both(make_config):
    config = make_config("bspline bspline", steps=50, joint_steps=9)
    stages = list(config.stages)
    stages[1] = stages[1].model_copy(update={"steps": 7, "learning_rate": 0.5})
    config = config.model_copy(update={"stages": tuple(stages)})
    phases = training_phases(config)
    assert [phase.steps for phase in phases] == [50, 7, 9]
    assert [phase.learning_rate for phase in phases[:2]] == [1e-3, 0.5]
    assert [phase.steps for phase in training_phases(config, steps=20)] == [20, 20, 9]
    assert [phase.steps for phase in training_phases(config, steps=3)] == [3, 3, 3]


@pytest.mark.parametrize("steps", [1, 2, 19, 200])
def test_the_learning_rate_rises_then_falls(steps):
    phase = Phase("x", 0, 1, steps, 2.0)
    rates = [phase.learning_rate_at(step) for step in range(steps)]
    top = rates.index(max(rates))
    assert max(rates) == pytest.approx(2.0)
    assert top <= max(1, steps // 20)
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert min(rates) > 0
    if steps == 200:
        assert rates[0] == pytest.approx(0.2)
        assert rates[-1] == pytest.approx(0.02, rel=0.01)
