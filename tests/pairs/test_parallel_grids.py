"""Resampling axis by axis; SciPy, which goes voxel by voxel, is the judge."""

import itertools

import numpy as np
import pytest
from scipy import ndimage

from dlir_tf.pairs.parallel_grids import resample_along_axes

SHAPES = {2: (13, 8), 3: (9, 14, 6)}


def judge(array, matrix, shape):
    return ndimage.affine_transform(
        array, matrix[:-1, :-1], matrix[:-1, -1], shape, order=1, mode="nearest"
    )


@pytest.mark.parametrize(
    "order", [*itertools.permutations(range(2)), *itertools.permutations(range(3))]
)
def test_axes_may_be_permuted_flipped_and_scaled(order, rng):
    ndim = len(order)
    array = rng.uniform(size=SHAPES[ndim]).astype(np.float32)
    for signs in itertools.product((1, -1), repeat=ndim):
        matrix = np.eye(ndim + 1)
        steps = np.array(signs) * rng.uniform(0.4, 2.5, ndim)
        matrix[:-1, :-1] = np.diag(steps)[:, order]
        matrix[:-1, -1] = [
            rng.uniform(-2, 2) if sign > 0 else rng.uniform(n - 3, n + 1)
            for n, sign in zip(array.shape, signs, strict=True)
        ]
        shape = tuple(rng.integers(3, 12, ndim).tolist())
        found = resample_along_axes(array, matrix, shape)
        assert (found.shape, found.dtype) == (shape, np.float32)
        assert found.flags.c_contiguous
        np.testing.assert_allclose(found, judge(array, matrix, shape), atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_grid_gives_the_array_back(dtype, rng):
    array = np.asfortranarray(rng.uniform(size=(7, 5, 3)).astype(dtype))
    frame = np.diag([1.3, 0.7, 9.1, 1.0])
    matrix = np.linalg.inv(frame) @ frame
    matrix[:-1, -1] += 1e-13
    found = resample_along_axes(array, matrix, array.shape)
    np.testing.assert_array_equal(found, array)
    assert found.dtype == dtype


def test_an_axis_of_one_voxel_is_repeated(rng):
    array = rng.uniform(size=(1, 4)).astype(np.float32)
    matrix = np.array([[0.5, 0, -3], [0, 1, 0.25], [0, 0, 1.0]])
    found = resample_along_axes(array, matrix, (3, 3))
    np.testing.assert_allclose(found, judge(array, matrix, (3, 3)), atol=1e-6)


@pytest.mark.parametrize("angle", [1e-3, 0.3, 0.8])
def test_grids_at_an_angle_are_left_to_others(angle):
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    assert resample_along_axes(np.ones((9, 9)), matrix, (9, 9)) is None


def test_what_rounding_leaves_of_a_right_angle_is_no_angle(rng):
    array = rng.uniform(size=(9, 7)).astype(np.float32)
    angle = np.pi / 2 + 1e-9
    matrix = np.array([[0, -1.0, 6], [1.0, 0, 0], [0, 0, 1]])
    matrix[0, 0] = matrix[1, 1] = np.cos(angle)
    found = resample_along_axes(array, matrix, (7, 7))
    np.testing.assert_allclose(found, judge(array, matrix, (7, 7)), atol=1e-6)
