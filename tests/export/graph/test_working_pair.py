"""A pair on its working grid, in the graph against the package."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from dlir_tf.config import Config
from dlir_tf.export.graph import working_pair
from dlir_tf.export.graph.separable import along_axis, gaussian_weights
from dlir_tf.images import Image
from dlir_tf.pairs import preprocessing

STAGE = {"transform": "bspline", "downsample": 1, "control_point_spacing": 4}


def random_image(rng, size, degrees, order):
    """Blobs of 3 mm, oblique, with its axes in some order, one of them flipped."""
    spacing = rng.uniform(0.6, 2.5, len(size))
    array = gaussian_filter(rng.normal(size=size), 3 / spacing).astype(np.float32)
    turn = Rotation.from_euler("zyx", [degrees] * 3, degrees=True).as_matrix()
    affine = np.eye(len(size) + 1)
    affine[:-1, :-1] = turn[: len(size), : len(size)][:, order] * spacing
    affine[:-1, 0] *= -1
    affine[:-1, -1] = -affine[:-1, :-1] @ (np.array(size) - 1) / 2 + rng.normal(
        size=len(size)
    )
    return Image(array, affine)


@pytest.mark.parametrize("method", ["header", "centers", "mass"])
@pytest.mark.parametrize(
    ("fixed_degrees", "moving_degrees", "order"),
    [(0, 0, (0, 1, 2)), (20, 20, (2, 0, 1)), (0, 25, (1, 0, 2)), (-15, 30, (1, 2, 0))],
)
def test_pair_is_that_of_preprocessing(
    method,
    fixed_degrees,
    moving_degrees,
    order,
    rng,
):
    """Grids along each other and across, finer and coarser ones."""
    config = Config.model_validate(
        {
            "ndim": 3,
            "spacing": [1.9, 1.2, None],
            "initial_alignment": method,
            "stages": [STAGE],
        }
    )
    fixed = random_image(rng, (23, 18, 15), fixed_degrees, (0, 1, 2))
    moving = random_image(rng, (14, 25, 21), moving_degrees, order)
    if method != "header":
        away = moving.affine.copy()
        away[:-1, -1] += 300.0
        moving = Image(moving.array, away)
    expected = preprocessing.prepare_pair(fixed, moving, config)
    affines = tf.constant(fixed.affine), tf.constant(moving.affine)
    prepare = tf.function(working_pair.prepare_pair, autograph=False)
    found = prepare(
        tf.constant(fixed.array),
        tf.constant(moving.array),
        affines,
        config,
        tf.constant(0),
    )
    np.testing.assert_allclose(found.initial, expected.initial.affine_part, atol=1e-4)
    np.testing.assert_allclose(found.fixed, expected.fixed, atol=2e-6)
    np.testing.assert_array_equal(found.mask, expected.mask)
    np.testing.assert_allclose(found.moving, expected.moving, atol=1e-5)
    assert expected.moving.std() > 0.05
    assert 0.1 < expected.mask.mean() < 1


@pytest.mark.parametrize("sigma", [(0.0, 0.3, 2.6), (1.2, 0.7, 0.0)])
@pytest.mark.parametrize("size", [(3, 8, 17), (12, 1, 5)])
def test_smoothing_is_scipys(sigma, size, rng):
    """Kernels longer than the axis, too."""
    array = rng.random(size, np.float32)
    expected = gaussian_filter(array, sigma, mode="nearest", truncate=3)
    found = tf.constant(array)
    for axis, width in enumerate(sigma):
        weights = gaussian_weights(tf.constant(width, tf.float64), size[axis])
        found = along_axis(found, tf.cast(weights, tf.float32), axis)
    np.testing.assert_allclose(found, expected, atol=1e-6)
