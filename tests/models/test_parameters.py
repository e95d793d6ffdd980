"""Parameters, by stage and by name."""

import numpy as np
import pytest

from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.models.parameters import Parameters, check_finite

SPLINE = {"transform": "bspline", "downsample": 1, "control_point_spacing": 8}
CONFIG = Config.model_validate(
    {
        "ndim": 2,
        "spacing": None,
        "stages": [
            {"transform": "affine", "downsample": 1, "feature_spacing": 8},
            SPLINE,
            SPLINE | {"control_point_spacing": 4},
        ],
        "refinement": {"stages": [SPLINE | {"control_point_spacing": 2}]},
    }
)


@pytest.fixture
def named(rng):
    outputs = {f"control_points_{n}": rng.normal(size=(6, 7, 2)) for n in (3, 2)}
    return {"moved": rng.normal(size=(8, 8)), "affine": np.eye(2, 3), **outputs}


def test_they_are_picked_out_of_other_tensors_and_named_again(named):
    parameters = Parameters.of(named, CONFIG)
    del named["moved"]
    assert parameters.named() == named  # the very same arrays
    assert parameters.matrix is named["affine"]
    # However they came, the first stage's are the first.
    assert list(parameters.control_points) == ["control_points_2", "control_points_3"]


def test_splines_come_with_their_stages_also_if_some_do_not_count(named):
    del named["control_points_2"]
    named["control_points_6"] = fine = np.zeros((12, 14, 2))
    splines = Parameters.of(named, CONFIG).splines(CONFIG)
    assert [spline.number for spline, _ in splines] == [3, 6]
    assert [s.stage.control_point_spacing for s, _ in splines] == [(4, 4), (2, 2)]
    assert splines[0][1] is named["control_points_3"]
    assert splines[1][1] is fine


def test_the_identity_moves_nothing():
    parameters = Parameters.identity(3)
    np.testing.assert_array_equal(parameters.matrix, np.eye(4)[:-1])
    assert parameters.splines(CONFIG) == []


@pytest.mark.parametrize("name", ["affine", "control_points_3"])
def test_what_is_not_finite_is_refused(named, name):
    check_finite(Parameters.of(named, CONFIG))
    named[name][1, 1] = np.nan
    with pytest.raises(InputError, match="aren't finite, so its weights are damaged"):
        check_finite(Parameters.of(named, CONFIG))
