"""The working grid in the graph against that of the package."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.spatial.transform import Rotation

from dlir_tf.config import Config
from dlir_tf.export.graph import grid
from dlir_tf.images import Image
from dlir_tf.pairs import working_grid as reference


def oblique(rng, ndim):
    """A matrix with any orientation, axes in any order, far from the origin."""
    matrix = np.eye(ndim + 1)
    turn = Rotation.random(rng=rng).as_matrix()
    if ndim == 2:
        turn = Rotation.from_euler("z", rng.uniform(-180, 180), True).as_matrix()
    flips = rng.choice([-1.0, 1.0], ndim)
    spacing = rng.uniform(0.5, 9, ndim)
    matrix[:ndim, :ndim] = (
        turn[:ndim, :ndim][:, rng.permutation(ndim)] * flips * spacing
    )
    matrix[:ndim, ndim] = rng.uniform(-2000, 2000, ndim)
    return matrix.astype(np.float32).astype(np.float64)


@pytest.mark.parametrize("order", ["ras", "slices_last"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_axes_of_any_orientation(order, ndim, rng):
    seen = set()
    for _ in range(100):
        matrix = oblique(rng, ndim)
        axes, signs = grid.working_axes(tf.constant(matrix), order)
        expected_axes, expected_signs = reference.working_axes(matrix, order)
        np.testing.assert_array_equal(axes, expected_axes)
        np.testing.assert_array_equal(signs, expected_signs)
        seen.add((*expected_axes.tolist(), *expected_signs.tolist()))
    assert len(seen) > 2**ndim


def test_equal_spacings_have_the_slices_closest_to_superior():
    turn = Rotation.from_euler("xyz", [80, 10, 20], degrees=True).as_matrix()
    matrix = np.eye(4)
    matrix[:3, :3] = turn * [2.0, 1.99, 1.0]
    axes, _ = grid.working_axes(tf.constant(matrix), "slices_last")
    expected, _ = reference.working_axes(matrix, "slices_last")
    np.testing.assert_array_equal(axes, expected)
    assert expected[-1] == 1


@pytest.mark.parametrize("spacing", [[1.5, 2.0, 0.9], [1.5, None, None]])
@pytest.mark.parametrize("order", ["ras", "slices_last"])
def test_grid_covers_the_image_as_in_the_package(spacing, order, rng):
    stage = {
        "transform": "bspline",
        "downsample": [2, 1, 1],
        "control_point_spacing": [8, 4, 1],
    }
    config = Config.model_validate(
        {"ndim": 3, "spacing": spacing, "axes": order, "stages": [stage]}
    )
    for _ in range(10):
        size = rng.integers(1, 40, 3)
        image = Image(np.zeros(size, np.float32), oblique(rng, 3))
        found = grid.working_grid(
            tf.constant(size, tf.int32), tf.constant(image.affine), config
        )
        expected = reference.working_grid(
            image.grid, config.spacing, config.multiple, config.axes
        )
        assert tuple(found.shape.numpy()) == expected.shape
        np.testing.assert_allclose(found.affine, expected.affine, atol=1e-9)


@pytest.mark.parametrize("order", ["ras", "slices_last"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_grid_is_fitted_to_the_longest_axis_as_in_the_package(ndim, order, rng):
    stage = {"transform": "bspline", "downsample": 2, "control_point_spacing": 4}
    config = Config.model_validate(
        {
            "ndim": ndim,
            "spacing": None,
            "longest_axis": 37,
            "axes": order,
            "stages": [stage],
        }
    )
    for _ in range(20):
        size = rng.integers(1, 60, ndim)
        image = Image(np.zeros(size, np.float32), oblique(rng, ndim))
        found = grid.working_grid(
            tf.constant(size, tf.int32), tf.constant(image.affine), config
        )
        expected = reference.working_grid(
            image.grid,
            config.spacing,
            config.multiple,
            config.axes,
            longest_axis=config.longest_axis,
        )
        assert tuple(found.shape.numpy()) == expected.shape
        assert max(expected.shape) == 40
        np.testing.assert_allclose(found.affine, expected.affine, atol=1e-9)
