"""What registers a pair where only steps were asked for: one shot of `general`."""

import numpy as np
import pytest
from shipped_models import put_in_place, write_shipped

from dlir_tf.automatic import picking
from dlir_tf.automatic.choice import choose_for_pair
from dlir_tf.images import Image
from dlir_tf.models.loading import load_model
from dlir_tf.phantoms import beating_heart
from dlir_tf.registration import register

SHIFT = (300.0, -40.0, 25.0)


@pytest.fixture
def heart(tmp_path, monkeypatch):
    """A pair, and a general model of random weights for 3-d images alone."""
    put_in_place(monkeypatch, write_shipped(tmp_path, ["general-3d"]))
    return beating_heart(3, shape=(40, 36, 5), spacing=(3.0, 2.5, 9.0))


@pytest.fixture
def far(heart):
    """The pair with the moving image elsewhere in the world."""
    shift = np.eye(4)
    shift[:3, 3] = SHIFT
    moving = heart.moving
    return heart.fixed, Image(moving.array, shift @ moving.affine)


def one_shot(fixed, moving, **options):
    return register(fixed, moving, do_no_harm=False, **options)


def test_no_steps_are_one_shot_of_the_general_model_from_where_images_say(far):
    result = one_shot(*far, refine=0)
    start = choose_for_pair(*far).start
    model = load_model("general")
    expected = one_shot(*far, model=model, initial_transform=start.transform)
    np.testing.assert_array_equal(result.displacement, expected.displacement)
    assert result.report.refinement is None
    # Random weights move little, so the start is what lays one onto the other.
    middle = far[0].grid.to_world(np.array([20.0, 18.0, 2.0]))
    moved = result.transform.map_points(middle[None])[0]
    np.testing.assert_allclose(moved - middle, SHIFT, atol=25.0)


def test_one_shot_is_judged_by_what_suits_the_pair(far):
    result = one_shot(*far, refine=0)
    choice = choose_for_pair(*far)
    assert result.report.choices == choice.of_images
    assert set(choice.of_images) < set(choice.reasons)
    kind = (
        load_model("general").config.of_pair(far[0].grid, far[1].grid).similarity.kind
    )
    assert choice.config.similarity.kind == result.report.similarity_kind != kind


def test_a_start_that_was_given_is_kept_in_one_shot(far):
    given = one_shot(*far, refine=0, initial_alignment="centers")
    model = load_model("general")
    expected = one_shot(*far, model=model, initial_alignment="centers")
    np.testing.assert_array_equal(given.displacement, expected.displacement)


def test_refinement_does_without_the_general_model(heart, monkeypatch):
    """Which moves what doesn't move, and takes longer than it spares."""
    monkeypatch.setattr(picking, "_general_model", None)
    result = register(heart.fixed, heart.moving, refine=3)
    assert result.report.refinement is not None
