"""Rigid and similarity layers: judged by SciPy's rotations, in mm about the centre."""

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from dlir_tf.layers import AffineMatrix
from dlir_tf.layers.rigid import RigidMatrix, SimilarityMatrix

SIZES = {2: (6, 9), 3: (4, 7, 6)}
SPACINGS = {2: (1.5, 0.8), 3: (1.56, 0.7, 10.0)}
COUNTS = {RigidMatrix: {2: 3, 3: 6}, SimilarityMatrix: {2: 4, 3: 7}}
CASES = [(layer, ndim) for layer in COUNTS for ndim in SIZES]
MAX_ROTATION = 1.2


def _matrix(layer, ndim, parameters):
    spacing = np.tile(np.float32(SPACINGS[ndim]), (len(parameters), 1))
    image = np.zeros((len(parameters), *SIZES[ndim], 1), "float32")
    matrix = layer(MAX_ROTATION)(np.float32(parameters), spacing, image)
    return matrix.numpy().astype(float)


def _in_mm(matrix, ndim):
    """The map of places in mm from the centre of the grid."""
    spacing = np.array(SPACINGS[ndim])
    to_mm = np.diag([*spacing, 1.0])
    to_mm[:-1, -1] = -(np.asarray(SIZES[ndim]) - 1) / 2 * spacing
    whole = np.vstack([matrix, np.eye(ndim + 1)[-1]])
    return to_mm @ whole @ np.linalg.inv(to_mm)


@pytest.mark.parametrize(("layer", "ndim"), CASES)
def test_it_agrees_with_scipy_in_mm_about_the_centre(layer, ndim, rng):
    count = COUNTS[layer][ndim]
    parameters = rng.normal(size=(3, count))
    num_angles = {2: 1, 3: 3}[ndim]
    for numbers, matrix in zip(
        parameters, _matrix(layer, ndim, parameters), strict=True
    ):
        found = _in_mm(matrix, ndim)
        angles = MAX_ROTATION * np.tanh(numbers[ndim : ndim + num_angles])
        if ndim == 2:
            turn = Rotation.from_euler("z", angles[0]).as_matrix()[:2, :2]
        else:
            turn = Rotation.from_euler("xyz", angles).as_matrix()
        scale = 1 + 0.5 * np.tanh(numbers[-1]) if layer is SimilarityMatrix else 1.0
        extent = np.multiply(SIZES[ndim], SPACINGS[ndim])
        np.testing.assert_allclose(found[:-1, :-1], scale * turn, atol=2e-6)
        shift = numbers[:ndim] * extent / 2
        np.testing.assert_allclose(found[:-1, -1], shift, atol=1e-4)


@pytest.mark.parametrize(("layer", "ndim"), CASES)
def test_no_parameter_is_in_vain(layer, ndim):
    count = COUNTS[layer][ndim]
    matrices = _matrix(layer, ndim, 0.1 * np.eye(count))
    changes = (matrices - np.eye(ndim, ndim + 1)).reshape(count, -1)
    assert np.linalg.matrix_rank(changes) == count


@pytest.mark.parametrize("ndim", [2, 3])
def test_an_affine_layer_without_scales_and_shears_is_a_rigid_one(ndim, rng):
    numbers = rng.normal(size=(2, COUNTS[RigidMatrix][ndim])).astype("float32")
    rest = np.zeros((2, {2: 3, 3: 6}[ndim]), "float32")
    spacing = np.tile(np.float32(SPACINGS[ndim]), (2, 1))
    image = np.zeros((2, *SIZES[ndim], 1), "float32")
    affine = AffineMatrix(MAX_ROTATION)(np.hstack([numbers, rest]), spacing, image)
    np.testing.assert_allclose(_matrix(RigidMatrix, ndim, numbers), affine, atol=1e-6)


def test_extreme_parameters_stay_within_their_limits():
    found = _in_mm(_matrix(SimilarityMatrix, 2, [[0, 0, 99, 99]])[0], 2)
    cos, sin = math.cos(MAX_ROTATION), math.sin(MAX_ROTATION)
    np.testing.assert_allclose(
        found[:2, :2], 1.5 * np.array([[cos, -sin], [sin, cos]]), atol=1e-5
    )


@pytest.mark.parametrize("layer", COUNTS)
def test_wrong_number_of_parameters_is_named(layer):
    three, two = COUNTS[layer][3], COUNTS[layer][2]
    match = f"{three} parameters for a 3-d grid, {two} for a 2-d one. Received: 5"
    with pytest.raises(ValueError, match=match):
        _matrix(layer, 3, np.zeros((1, 5)))
