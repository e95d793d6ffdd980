"""The field of all stages, against the layers of the chain."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.layers import AffineTransformer, BSplineTransformer, Compose
from dlir_tf.layers.affine import AffineMatrix
from dlir_tf.layers.compose import matrix_field
from dlir_tf.models.parameters import Parameters
from dlir_tf.refinement.fields import total_field

from .conftest import AFFINE, make_config, spline

SIZES = {2: (8, 12), 3: (8, 12, 3)}
COARSE = {2: (8, 4), 3: (8, 4, 1)}


def random_points(rng, size, spacing, scale):
    lattice = [n // s + 4 for n, s in zip(size, spacing, strict=True)]
    points = scale * rng.normal(size=(1, *lattice, len(size)))
    return tf.constant(points.astype("float32"))


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_stages_are_composed_as_in_the_chain(ndim, rng):
    """Of a coarse and a fine lattice at half the resolution, after an affine one."""
    size, factor = tuple(2 * n for n in SIZES[ndim]), (2,) * ndim
    first, second = (tuple(f * s for s in COARSE[ndim]) for f in (2, 1))
    second = tuple(max(2, s) for s in second)
    config = make_config(ndim, [AFFINE, spline(first), spline(second)])
    spacing = np.ones((1, ndim), "float32")
    image = keras.ops.zeros((1, *size, 1))
    values = 0.1 * rng.normal(size=(1, 6 if ndim == 2 else 12)).astype("float32")
    points = {
        "control_points_2": random_points(rng, size, first, 1.0),
        "control_points_3": random_points(rng, size, second, 1.0),
    }
    parameters = Parameters(AffineMatrix()(values, spacing, image), points)
    reference = keras.ops.zeros((1, *SIZES[ndim], 1))
    field = total_field(parameters, config, factor, reference)
    # A matrix on the coarse grid whose voxels lie between those of the fine one.
    splines = [
        BSplineTransformer(tuple(s // 2 for s in cells))(
            points[f"control_points_{number}"] / 2
        )
        for number, cells in ((2, first), (3, second))
    ]
    inner = Compose()(*splines)
    affine = AffineTransformer()(values, 2 * spacing, reference)
    np.testing.assert_allclose(
        matrix_field(_coarse(parameters.matrix), reference), affine, atol=1e-4
    )
    expected = Compose()(AffineMatrix()(values, 2 * spacing, reference), inner)
    np.testing.assert_allclose(field, expected, atol=1e-4)


def _coarse(matrix):
    """A matrix between voxels of twice the size."""
    linear, shift = matrix[..., :-1], matrix[..., -1]
    centre = 0.5 * np.ones(linear.shape[-1], "float32")
    shift = (shift + tf.linalg.matvec(linear, centre) - centre) / 2
    return tf.concat([linear, shift[..., None]], axis=-1)
