"""Affine layers: judged by SciPy's rotations, in mm about the centre."""

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dlir_tf.compute.compilation import without_islands
from dlir_tf.layers import AffineMatrix, AffineTransformer
from dlir_tf.layers.affine import num_affine_parameters, rescale_matrix
from dlir_tf.layers.compose import matrix_field
from dlir_tf.layers.pooling import average_pool

SIZES = {2: (6, 9), 3: (4, 7, 6)}
SPACINGS = {
    2: [(1.5, 0.8), (1.0, 3.0)],
    3: [(1.56, 1.56, 10.0), (0.7, 2.0, 1.1)],
}
MAX_ROTATION, MAX_SHEAR = 1.2, 0.4


def _reference(ndim, batch=2):
    return np.zeros((batch, *SIZES[ndim], 1), "float32")


def _spacing(ndim):
    return np.asarray(SPACINGS[ndim], "float32")


def _voxel_to_mm(spacing, size):
    """Millimetres from the centre of the grid, as a homogeneous matrix."""
    matrix = np.diag([*spacing, 1.0])
    matrix[:-1, -1] = -(np.asarray(size) - 1) / 2 * spacing
    return matrix


def _independent_matrix(parameters, spacing, size):
    """What the docstring says, with SciPy's rotations and homogeneous matrices."""
    ndim = len(size)
    shift, rest = parameters[:ndim], np.tanh(parameters[ndim:])
    if ndim == 2:
        angles, scales, shears = rest[:1], rest[1:3], rest[3:]
        rotation = Rotation.from_euler("z", MAX_ROTATION * angles[0]).as_matrix()
        rotation = rotation[:2, :2]
    else:
        angles, scales, shears = rest[:3], rest[3:6], rest[6:]
        # Lower case letters turn about fixed axes, one after another.
        rotation = Rotation.from_euler("xyz", MAX_ROTATION * angles).as_matrix()
    shear = np.eye(ndim)
    shear[np.triu_indices(ndim, 1)] = MAX_SHEAR * shears
    in_mm = np.eye(ndim + 1)
    in_mm[:-1, :-1] = rotation @ shear @ np.diag(1 + 0.5 * scales)
    in_mm[:-1, -1] = shift * np.asarray(size) * spacing / 2
    to_mm = _voxel_to_mm(spacing, size)
    return (np.linalg.inv(to_mm) @ in_mm @ to_mm)[:-1]


@pytest.mark.parametrize("ndim", [2, 3])
def test_matrix_agrees_with_scipy_in_mm_about_the_centre(ndim, rng):
    parameters = rng.normal(size=(2, num_affine_parameters(ndim)))
    layer = AffineMatrix(max_rotation=MAX_ROTATION, max_shear=MAX_SHEAR)
    matrix = layer(parameters.astype("float32"), _spacing(ndim), _reference(ndim))
    expected = [
        _independent_matrix(p, s, SIZES[ndim])
        for p, s in zip(parameters, _spacing(ndim).astype(float), strict=True)
    ]
    np.testing.assert_allclose(matrix, expected, atol=2e-5)


@pytest.mark.parametrize("ndim", [2, 3])
def test_transformer_is_the_field_of_the_matrix(ndim, rng):
    parameters = rng.normal(size=(2, num_affine_parameters(ndim))).astype("float32")
    arguments = (parameters, _spacing(ndim), _reference(ndim))
    matrix = AffineMatrix(MAX_ROTATION, MAX_SHEAR)(*arguments).numpy()
    ddf = AffineTransformer(MAX_ROTATION, MAX_SHEAR)(*arguments).numpy()
    for voxel in np.ndindex(SIZES[ndim]):
        for b in range(2):
            moved = matrix[b] @ [*voxel, 1]
            np.testing.assert_allclose(voxel + ddf[(b, *voxel)], moved, atol=1e-5)


@pytest.mark.parametrize("ndim", [2, 3])
def test_zero_parameters_are_exactly_the_identity(ndim):
    zero = np.zeros((2, num_affine_parameters(ndim)), "float32")
    matrix = AffineMatrix()(zero, _spacing(ndim), _reference(ndim)).numpy()
    np.testing.assert_array_equal(matrix, [np.eye(ndim, ndim + 1)] * 2)
    ddf = AffineTransformer()(zero, _spacing(ndim), _reference(ndim)).numpy()
    np.testing.assert_array_equal(ddf, np.zeros((2, *SIZES[ndim], ndim)))


def test_centre_stays_where_it_is_without_translation(rng):
    parameters = rng.normal(size=(2, 12)).astype("float32")
    parameters[:, :3] = 0
    matrix = AffineMatrix()(parameters, _spacing(3), _reference(3)).numpy()
    centre = (np.asarray(SIZES[3]) - 1) / 2
    moved = matrix[..., :-1] @ centre + matrix[..., -1]
    np.testing.assert_allclose(moved, [centre, centre], atol=2e-5)


def test_rotation_keeps_lengths_in_mm_on_thick_slices():
    """A quarter turn about axis 0: 10 voxels of 1 mm become one of 10 mm."""
    parameters = np.zeros((1, 12), "float32")
    parameters[0, 3] = 50  # far beyond what tanh distinguishes from the limit
    spacing = np.array([[1.0, 1.0, 10.0]], "float32")
    layer = AffineMatrix(max_rotation=math.pi / 2)
    matrix = layer(parameters, spacing, _reference(3, batch=1)).numpy()
    np.testing.assert_allclose(matrix[0, :, :3] @ [0, 10, 0], [0, 0, 1], atol=1e-5)
    np.testing.assert_allclose(matrix[0, :, :3] @ [0, 0, 1], [0, -10, 0], atol=1e-5)


def test_extreme_parameters_stay_within_their_limits():
    parameters = np.full((2, 6), 100, "float32") * [[1], [-1]]
    parameters[:, :2] = 0
    one = np.ones((2, 2), "float32")
    layer = AffineMatrix(max_rotation=0.3, max_shear=0.2)
    linear = layer(parameters.astype("float32"), one, _reference(2)).numpy()[..., :2]
    for sign, matrix in zip((1, -1), linear, strict=True):
        cos, sin = np.cos(0.3), sign * np.sin(0.3)
        scale = 1 + sign * 0.5
        expected = [[cos, -sin], [sin, cos]] @ np.array([[1, sign * 0.2], [0, 1]])
        np.testing.assert_allclose(matrix, expected * scale, atol=1e-6)


@pytest.mark.parametrize("factor", [(2, 1, 3), (1, 1, 1), (4, 2, 2)])
def test_rescaled_matrix_moves_pooled_voxels_alike(factor, rng):
    """A linear field averages to its value at the centre of a block of voxels."""
    matrix = np.eye(3, 4) + 0.2 * rng.normal(size=(2, 3, 4))
    matrix = matrix.astype("float32")
    fine = np.zeros((2, 8, 4, 6 * factor[2], 1), "float32")
    with without_islands():
        pooled = average_pool(matrix_field(matrix, fine), factor).numpy()
        coarse = average_pool(fine, factor)
        ddf = matrix_field(rescale_matrix(matrix, factor), coarse).numpy()
    np.testing.assert_allclose(ddf, pooled / factor, atol=2e-5)


def test_wrong_number_of_parameters_is_named():
    with pytest.raises(ValueError, match=r"12 parameters.*Received: 6 for a 3-d grid"):
        AffineMatrix()(np.zeros((2, 6), "float32"), _spacing(3), _reference(3))
    with pytest.raises(ValueError, match="Received: 6 for a 1-d grid"):
        AffineMatrix()(
            np.zeros((1, 6), "float32"),
            np.ones((1, 1), "float32"),
            np.zeros((1, 5, 1), "float32"),
        )
