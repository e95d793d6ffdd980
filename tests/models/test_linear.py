"""Every kind of linear stage has a layer that makes its matrix."""

import numpy as np
import pytest
from keras import ops

from dlir_tf.config import LinearStage
from dlir_tf.config.stages import KINDS, TRANSFORMS
from dlir_tf.models.linear import matrix_layer

LINEAR = [
    (kind, transform)
    for kind, transform in zip(KINDS, TRANSFORMS, strict=True)
    if issubclass(kind, LinearStage)
]
SIZES = {2: (7, 12), 3: (7, 12, 5)}
SPACINGS = {2: (1.5, 0.8), 3: (1.5, 0.8, 5.0)}


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize(("kind", "transform"), LINEAR)
def test_it_makes_matrices_of_the_numbers_that_its_stage_has(
    kind, transform, ndim, rng
):
    ones = (1,) * ndim
    stage = kind(transform=transform, downsample=ones, feature_spacing=ones)
    layer = matrix_layer(stage)
    numbers = 0.1 * rng.normal(size=(2, kind.num_parameters[ndim])).astype("float32")
    numbers[0] = 0
    spacing = np.float32([SPACINGS[ndim]] * 2)
    matrices = layer(numbers, spacing, ops.zeros((2, *SIZES[ndim], 1)))
    matrices = ops.convert_to_numpy(matrices)
    still, moving = matrices
    np.testing.assert_array_equal(still, np.eye(ndim, ndim + 1))
    assert moving.shape == (ndim, ndim + 1)
    assert np.abs(moving - still).max() > 0.01
    size = np.float32(SIZES[ndim])
    by_numpy = layer.matrix(numbers, spacing, size, np)
    np.testing.assert_allclose(by_numpy, matrices, atol=1e-5)
