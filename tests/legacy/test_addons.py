"""Where our warp is that of TensorFlow Addons, and where it differs from it.

What is found here stands in docs/compatibility.md.
"""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.layers import Warp
from dlir_tf.layers.sampling import identity_coordinates, sample_linear

SCRIPT = Path(__file__).with_name("run_addons.py")
# Odd and unequal sizes, several channels and batches.
SHAPES = {"small": (2, 7, 5, 3), "large": (1, 33, 18, 1), "thin": (3, 2, 11, 2)}
# What they do outside the image: repeat its border, or go to 0.
FILL_VALUES = {"dense_image_warp": None, "resampler": 0.0, "interpolate_bilinear": None}

each = pytest.mark.parametrize("function", FILL_VALUES)


def _make_cases():
    rng = np.random.default_rng(11)
    cases = {}
    for name, shape in SHAPES.items():
        # Wide: positions far outside as well, none on a voxel's centre.
        for width in (0.4, 4.0):
            cases[f"{name}, {width}"] = _case(
                rng, shape, rng.normal(0, width, (*shape[:-1], 2))
            )
    shape = SHAPES["small"]
    cases["whole"] = _case(rng, shape, rng.integers(-2, 3, (*shape[:-1], 2)))
    cases["zero"] = _case(rng, shape, np.zeros((*shape[:-1], 2)))
    return cases


def _case(rng, shape, ddf):
    image, weights = rng.normal(size=(2, *shape))
    arrays = {"image": image, "ddf": ddf, "weights": weights}
    return {name: array.astype("float32") for name, array in arrays.items()}


CASES = _make_cases()
FRACTIONS = [name for name in CASES if name not in ("whole", "zero")]


@pytest.fixture(scope="module")
def theirs(run_legacy):
    """Of each case and function the value and the gradients."""
    inputs = {
        f"{case}/{name}": array
        for case, arrays in CASES.items()
        for name, array in arrays.items()
    }
    results = {}
    for key, array in run_legacy(SCRIPT, inputs=inputs).items():
        case, function, name = key.split("/")
        results.setdefault(case, {}).setdefault(function, {})[name] = array
    return results


def _ours(case, function):
    image, ddf, weights = (tf.constant(a) for a in CASES[case].values())
    with tf.GradientTape() as tape:
        tape.watch([image, ddf])
        if function == "dense_image_warp":
            value = Warp(image_gradient=True)(image, ddf)
        else:
            points = identity_coordinates(ddf.shape[1:3]) + ddf
            value = sample_linear(image, points, FILL_VALUES[function])
        total = tf.reduce_sum(value * weights)
    gradients = tape.gradient(total, [image, ddf])
    names = ("value", "image", "ddf")
    return {n: t.numpy() for n, t in zip(names, (value, *gradients), strict=True)}


def _positions(case):
    ddf = CASES[case]["ddf"]
    return np.moveaxis(np.indices(ddf.shape[1:3]), 0, -1) + ddf


def _distance_inside(case):
    """How far inside the image positions are, in voxels; negative outside."""
    positions = _positions(case)
    last = np.array(positions.shape[1:3]) - 1
    return np.minimum(positions, last - positions).min(-1)


@each
@pytest.mark.parametrize("case", CASES)
def test_values_agree_everywhere(case, function, theirs):
    """Inside, in the voxel's width around the image, and far outside."""
    ours = _ours(case, function)["value"]
    np.testing.assert_allclose(ours, theirs[case][function]["value"], atol=1e-5)


def test_the_cases_reach_inside_around_and_far_outside():
    distances = np.concatenate([_distance_inside(c).ravel() for c in FRACTIONS])
    for low, high in ((0, np.inf), (-1, 0), (-np.inf, -1)):
        assert np.sum((distances > low) & (distances < high)) > 50


@each
@pytest.mark.parametrize("case", FRACTIONS)
def test_gradients_agree_between_voxels(case, function, theirs):
    ours, other = _ours(case, function), theirs[case][function]
    for name in ("image", "ddf"):
        assert np.abs(other[name]).max() > 0.5
        np.testing.assert_allclose(ours[name], other[name], atol=2e-5, err_msg=name)


@each
@pytest.mark.parametrize("case", ["whole", "zero"])
def test_gradients_to_the_image_agree_at_voxels_too(case, function, theirs):
    ours = _ours(case, function)["image"]
    np.testing.assert_allclose(ours, theirs[case][function]["image"], atol=2e-5)


@pytest.mark.parametrize("function", ["dense_image_warp", "interpolate_bilinear"])
@pytest.mark.parametrize("case", ["whole", "zero"])
def test_theirs_have_no_slope_at_voxels_but_ours_has(case, function, theirs):
    """Training that starts from no displacement would stand still with theirs."""
    ours = _ours(case, function)["ddf"]
    other = theirs[case][function]["ddf"]
    positions = _positions(case)
    last = np.array(ours.shape[1:3]) - 1
    before_last = (positions >= 0) & (positions < last)
    assert not np.any(other[before_last])
    assert np.mean(np.abs(ours[before_last]) > 1e-3) > 0.5
    np.testing.assert_allclose(ours[~before_last], other[~before_last], atol=2e-5)


@pytest.mark.parametrize("case", ["whole", "zero"])
def test_slopes_of_resampler_are_ours_but_for_those_of_the_first_zero(case, theirs):
    """One voxel outside, where its values begin to rise from 0."""
    ours, other = _ours(case, "resampler")["ddf"], theirs[case]["resampler"]["ddf"]
    positions = _positions(case)
    size = np.array(ours.shape[1:3])
    first_zero = np.any((positions == -1) | (positions == size), axis=-1)
    np.testing.assert_allclose(ours[~first_zero], other[~first_zero], atol=2e-5)
    assert not np.any(other[first_zero])
    assert np.any(ours[first_zero]) == (case == "whole")
