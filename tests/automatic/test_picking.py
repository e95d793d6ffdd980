"""The general model, where one ships: its one shot, and its answer as a start."""

import numpy as np
import pytest
from shipped_models import put_in_place, write_shipped

from dlir_tf.automatic import picking
from dlir_tf.models.loading import load_model
from dlir_tf.phantoms import beating_heart
from dlir_tf.registration import register


@pytest.fixture
def heart(tmp_path, monkeypatch):
    """A pair, and a general model of random weights for 3-d images alone."""
    put_in_place(monkeypatch, write_shipped(tmp_path, ["general-3d"]))
    return beating_heart(3, shape=(40, 36, 5), spacing=(3.0, 2.5, 9.0))


def test_no_steps_are_one_shot_of_the_general_model(heart):
    result = register(heart.fixed, heart.moving, refine=0, do_no_harm=False)
    expected = register(
        heart.fixed, heart.moving, model=load_model("general"), do_no_harm=False
    )
    assert np.abs(result.displacement).max() > 0.5
    np.testing.assert_array_equal(result.displacement, expected.displacement)
    assert result.report.refinement is None
    assert result.report.choices == ()


def test_its_answer_is_one_of_the_starts(heart, monkeypatch):
    expected = register(
        heart.fixed, heart.moving, model=load_model("general"), do_no_harm=False
    )
    seen = {}
    choose = picking.choose_for_pair

    def spy(*pair, further, **options):
        seen.update(further)
        return choose(*pair, further=further, **options)

    monkeypatch.setattr(picking, "choose_for_pair", spy)
    register(heart.fixed, heart.moving, refine=7)
    (answer,) = seen.values()
    points = heart.fixed.grid.to_world(np.random.default_rng(0).uniform(2, 4, (9, 3)))
    np.testing.assert_allclose(
        answer.map_points(points), expected.transform.map_points(points), atol=1e-4
    )
