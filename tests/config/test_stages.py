"""What a stage says of itself: names, lattice, and what it needs."""

from typing import ClassVar, Literal

import pytest

from dlir_tf.config import Config, LinearStage
from dlir_tf.config.stages import KINDS, TRANSFORMS

AFFINE = {"transform": "affine", "downsample": 2, "feature_spacing": [16, 8]}
SPLINE = {"transform": "bspline", "downsample": 1, "control_point_spacing": [8, 4]}


def _config(*stages, **fields):
    settings = {"ndim": 2, "spacing": None, "stages": stages} | fields
    return Config.model_validate(settings)


class Shift(LinearStage):
    """A kind of stage that the package doesn't have."""

    num_parameters: ClassVar = {2: 2, 3: 3}

    transform: Literal["shift"] = "shift"


SHIFT = Shift(downsample=(2, 2), feature_spacing=(8, 8))


def test_stages_are_numbered_over_all_of_them_and_linear_ones_share_a_name():
    config = _config(AFFINE, AFFINE, SPLINE, SPLINE, refinement={"stages": [SPLINE]})
    affine, spline = config.stages[0], config.stages[2]
    assert config.linear_stages == ((1, "affine", affine), (2, "affine", affine))
    predicted = ((3, "control_points_3", spline), (4, "control_points_4", spline))
    assert config.deformable_stages == predicted
    again, refined = ((n, f"control_points_{n}", spline) for n in (5, 6))
    assert config.all_deformable_stages == (*predicted, again, refined)
    assert config.stages_again == (again,)  # there is but one lattice
    assert config.own_stages_of_refinement == (refined,)
    assert config.network_names == (
        "stage_1_affine",
        "stage_2_affine",
        "stage_3_bspline",
        "stage_4_bspline",
    )
    assert spline.spacing_name(3) == "control_point_spacing_3"


def test_a_lattice_has_two_control_points_more_at_each_end():
    (one,) = _config(SPLINE).deformable_stages
    assert one.stage.lattice_shape((32, 20)) == (4 + 4, 5 + 4)


@pytest.mark.parametrize("shifts_first", [True, False])
def test_the_freest_linear_stage_is_that_of_most_numbers(shifts_first):
    config = _config(AFFINE, AFFINE, SPLINE)
    assert config.freest_linear_stage.number == 2
    stages = [SHIFT, config.stages[0]] if shifts_first else [config.stages[0], SHIFT]
    mixed = config.model_copy(update={"stages": (*stages, config.stages[2])})
    assert mixed.freest_linear_stage.stage == config.stages[0]
    assert mixed.network_names[not shifts_first] == f"stage_{2 - shifts_first}_shift"
    assert _config(SPLINE).freest_linear_stage is None


def test_what_all_linear_stages_keep_is_what_the_freest_keeps():
    rigid, similar = (AFFINE | {"transform": kind} for kind in ("rigid", "similarity"))
    assert _config(rigid, rigid, SPLINE).keeps == "lengths"
    assert _config(similar, rigid).keeps == "angles"
    assert _config(rigid, AFFINE).keeps is None
    assert _config(SPLINE).keeps is None


def test_every_kind_of_stage_has_a_name_of_its_own():
    assert {"affine", "bspline"} <= set(TRANSFORMS)
    assert len(set(TRANSFORMS)) == len(KINDS)
