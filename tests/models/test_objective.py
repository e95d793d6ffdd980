"""The loss of a phase, against its definition."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.losses import bending_energy, folding_penalty
from dlir_tf.models.objective import Objective


@pytest.fixture
def images(rng):
    fixed, moved = rng.uniform(size=(2, 2, 16, 8, 1)).astype(np.float32)
    return fixed, moved


def batch(mask=None):
    ones = np.ones((2, 16, 8, 1), np.float32)
    return {
        "mask": tf.constant(ones if mask is None else mask),
        "spacing": tf.constant([[1.5, 2.0]] * 2),
    }


def outputs(images, **points):
    fixed, moved = images
    return {"fixed": tf.constant(fixed), "moved": tf.constant(moved), **points}


def test_one_minus_the_correlation_of_each_sample(make_config, images):
    losses = Objective(make_config(), (1, 1))(batch(), outputs(images))
    expected = [
        1 - np.corrcoef(fixed.ravel(), moved.ravel())[0, 1]
        for fixed, moved in zip(*images, strict=True)
    ]
    np.testing.assert_allclose(losses["loss"], expected, atol=1e-4)
    np.testing.assert_allclose(losses["bending_energy"], 0)


def test_what_lies_outside_the_mask_does_not_count(make_config, images):
    mask = np.zeros((2, 16, 8, 1), np.float32)
    mask[:, 3:11, :5] = 1
    objective = Objective(make_config(), (1, 1))
    losses = objective(batch(mask), outputs(images))["loss"]
    fixed, moved = images
    garbage = np.where(mask > 0, moved, 1e3)
    again = objective(batch(mask), outputs((fixed, garbage)))["loss"]
    np.testing.assert_allclose(again, losses, atol=1e-6)
    cropped = objective(
        batch(np.ones((2, 8, 5, 1), np.float32)),
        outputs((fixed[:, 3:11, :5], moved[:, 3:11, :5])),
    )
    np.testing.assert_allclose(losses, cropped["loss"], atol=1e-4)


def test_a_patch_that_lies_wholly_outside_the_mask_is_finite(make_config, images):
    nothing = np.zeros((2, 16, 8, 1), np.float32)
    losses = Objective(make_config(), (1, 1))(batch(nothing), outputs(images))
    assert np.isfinite(losses["loss"]).all()


def test_the_mask_is_pooled_like_the_images(make_config, images):
    mask = np.ones((2, 16, 8, 1), np.float32)
    mask[:, 8:] = 0
    small = [image[:, ::2, ::4] for image in images]
    losses = Objective(make_config(), (2, 4))(batch(mask), outputs(small))
    half = np.ones((2, 4, 2, 1), np.float32)
    expected = Objective(make_config(), (1, 1))(
        batch(half), outputs([image[:, :4] for image in small])
    )
    np.testing.assert_allclose(losses["loss"], expected["loss"], atol=1e-5)


def test_bending_counts_only_for_the_stages_in_training(make_config, images, rng):
    config = make_config("affine bspline bspline")
    stages = list(config.stages)
    stages[1] = stages[1].model_copy(update={"bending_energy": 100.0})
    stages[2] = stages[2].model_copy(update={"bending_energy": 0.5})
    similarity = config.similarity.model_copy(update={"weight": 3.0})
    config = config.model_copy(
        update={"stages": tuple(stages), "similarity": similarity}
    )
    points = tf.constant(rng.normal(size=(2, 6, 5, 2)), tf.float32)
    objective = Objective(config, (1, 1))
    energy = np.array(bending_energy(points, (8, 8), batch()["spacing"]))
    alone = objective(batch(), outputs(images, control_points_3=points))
    np.testing.assert_allclose(alone["bending_energy"], 0.5 * energy, rtol=1e-5)
    both = objective(
        batch(), outputs(images, control_points_2=points, control_points_3=points)
    )
    np.testing.assert_allclose(both["bending_energy"], 100.5 * energy, rtol=1e-5)
    plain = Objective(make_config(), (1, 1))(batch(), outputs(images))
    np.testing.assert_allclose(
        both["loss"], 3 * plain["loss"] + both["bending_energy"], rtol=1e-5
    )


def test_the_last_stage_in_training_says_what_folding_costs(make_config, images, rng):
    config = make_config("affine bspline bspline")
    stages = list(config.stages)
    for index, weight in ((1, 100.0), (2, 0.5)):
        stages[index] = stages[index].model_copy(update={"folding_penalty": weight})
    config = config.model_copy(update={"stages": tuple(stages)})
    points = tf.zeros((2, 6, 5, 2))
    ddf = tf.constant(rng.normal(size=(2, 16, 8, 2)), tf.float32)
    penalty = np.array(folding_penalty(ddf))
    assert penalty.min() > 0.1
    objective = Objective(config, (1, 1))
    for names, weight in (((2,), 100), ((3,), 0.5), ((2, 3), 0.5)):
        trained = {f"control_points_{number}": points for number in names}
        losses = objective(batch(), outputs(images, ddf=ddf, **trained))
        np.testing.assert_allclose(losses["folding_penalty"], weight * penalty)
        rest = losses["similarity_loss"] + losses["folding_penalty"]
        np.testing.assert_allclose(losses["loss"], rest, rtol=1e-6)
    plain = Objective(make_config("bspline"), (1, 1))
    assert "folding_penalty" not in plain(
        batch(), outputs(images, ddf=ddf, control_points_1=points)
    )
