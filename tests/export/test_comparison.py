"""Differences between an export and its model, in the units that matter."""

import numpy as np
import pytest

from dlir_tf.config import Config
from dlir_tf.errors import ExportError
from dlir_tf.export.comparison import compare
from dlir_tf.export.pairs import TrialPair
from dlir_tf.export.parity import Parity
from dlir_tf.images import Image
from dlir_tf.transforms import Affine, BSpline, Transform

SIZE = (6, 5, 4)


@pytest.fixture
def pair(rng):
    affine = np.diag([2.0, 1.0, 3.0, 1.0])
    images = [Image(rng.random(SIZE, np.float32), affine) for _ in range(2)]
    return TrialPair(*images, images[1].with_array(np.ones(SIZE, np.int32)))


@pytest.fixture
def outputs(rng):
    return {
        "moved": 4 * rng.random(SIZE),
        "displacement": rng.uniform(0.1, 0.3, (*SIZE, 3)),
        "affine": np.eye(4),
        "grid_affine": np.diag([3.0, 1.0, 1.0, 1.0]),
        "control_points_2": rng.normal(size=(5, 5, 5, 3)),
        "moved_labels": rng.integers(0, 3, SIZE),
        "similarity_before": np.array(0.5),
        "similarity_after": np.array(0.7),
        "smallest_jacobian": np.array(0.4),
        "largest_displacement": np.array(3.0),
    }


IDENTITY = Transform((Affine(np.eye(4)),))
CONFIG = Config.model_validate(
    {
        "ndim": 3,
        "spacing": None,
        "stages": [
            {"transform": "affine", "downsample": 1, "feature_spacing": 4},
            {"transform": "bspline", "downsample": 1, "control_point_spacing": 4},
        ],
    }
)


def test_differences_are_what_was_added(pair, outputs):
    changed = {name: array.copy() for name, array in outputs.items()}
    changed["displacement"][5, 4, 2] += [0.3, 0.4, 0.0]
    changed["moved"][0, 0, 0] += 0.1 * np.ptp(outputs["moved"])
    changed["affine"][1, 0] -= 0.01  # 10 mm from the first corner to the last
    changed["control_points_2"][2, 2, 2] -= [0.1, 0.4, 0]
    changed["moved_labels"][1:3, 1, 1] += 1
    changed["smallest_jacobian"] -= 0.02
    found = compare(pair, outputs, IDENTITY, changed, CONFIG)
    assert found["displacement_mm"] == pytest.approx(0.5)
    assert found["moved"] == pytest.approx(0.1)
    assert found["affine_mm"] == pytest.approx(0.1)
    assert found["control_points_mm"] == pytest.approx(0.5)
    assert found["labels"] == pytest.approx(2 / 120)
    assert found["quality"] == pytest.approx(0.02)
    assert set(compare(pair, outputs, IDENTITY, outputs, CONFIG).values()) == {0.0}


@pytest.mark.parametrize(
    "name", ["moved", "displacement", "affine", "control_points_2", "similarity_after"]
)
def test_nan_is_a_failure(pair, outputs, name):
    broken = {key: array.copy() for key, array in outputs.items()}
    broken[name].flat[7 % broken[name].size] = np.nan
    found = compare(pair, outputs, IDENTITY, broken, CONFIG)
    assert not Parity(**found, timings=(), peak_mb=0.0).within_tolerance


@pytest.mark.parametrize("shape", [(6, 5, 4, 2), (1, 5, 4, 3), None])
def test_missing_and_misshapen_outputs_are_failures(pair, outputs, shape):
    """Shapes that NumPy would broadcast, too."""
    broken = dict(outputs)
    del broken["displacement"]
    if shape is not None:
        broken["displacement"] = np.zeros(shape)
    with pytest.raises(ExportError, match="`displacement` must have the shape"):
        compare(pair, outputs, IDENTITY, broken, CONFIG)


def test_where_a_spline_ends_either_side_is_right(pair, outputs):
    """But only there, and NaN isn't."""
    lattice = np.diag([2.0, 2.0, 2.0, 1.0])
    lattice[:3, 3] = [-4.0, -6.0, -6.0]  # the spline begins at x = -2 ...
    lattice[0, 3] += 4.0  # ... or rather at x = 2, where the voxels 1 are
    spline = BSpline(np.full((12, 12, 12, 3), 0.7), lattice)
    transform = Transform((spline,))
    outputs["displacement"] = transform.displacement(pair.fixed)
    assert (outputs["displacement"][:, 2, 2, 0] != 0).tolist() == [False] + [True] * 5
    changed = {name: array.copy() for name, array in outputs.items()}
    changed["displacement"][1] = 0
    assert compare(pair, outputs, transform, changed, CONFIG)["displacement_mm"] == 0
    changed["displacement"][2, 2, 2] = 0
    found = compare(pair, outputs, transform, changed, CONFIG)["displacement_mm"]
    assert found == pytest.approx(0.7 * np.sqrt(3), rel=1e-5)
    changed["displacement"][1, 2, 2] = np.nan
    assert np.isnan(
        compare(pair, outputs, transform, changed, CONFIG)["displacement_mm"]
    )


def test_at_the_edge_of_the_image_either_side_is_right(pair, outputs):
    outputs["displacement"][:] = [1.0, 0.1, 0.1]  # half a voxel along the first axis
    changed = {name: array.copy() for name, array in outputs.items()}
    changed["moved"][5] = 0
    assert compare(pair, outputs, IDENTITY, changed, CONFIG)["moved"] == 0
    changed["moved"][4] = 0
    assert compare(pair, outputs, IDENTITY, changed, CONFIG)["moved"] > 0.5
