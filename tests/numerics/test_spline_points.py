"""Splines at points: SciPy gives the same values."""

import numpy as np
import pytest
from keras import ops
from scipy.interpolate import NdBSpline

from dlir_tf.numerics.compiled_bspline import neighbours_in_rows
from dlir_tf.numerics.spline_points import spline_at_points

LATTICES = {2: (7, 5), 3: (6, 4, 9)}


@pytest.mark.parametrize("num_spare_rows", [0, 11])
@pytest.mark.parametrize("ndim", [2, 3])
def test_scipy_gives_the_same_values(rng, ndim, num_spare_rows):
    shape = LATTICES[ndim]
    control_points = rng.normal(size=(*shape, ndim)).astype("float32")
    positions = rng.uniform(1, np.array(shape) - 2, (500, ndim))
    positions[0] = 1.0
    positions[1] = np.array(shape) - 2.0  # the border belongs to the lattice
    knots = tuple(np.arange(size + 4) - 2.0 for size in shape)
    spline = NdBSpline(knots, control_points.astype(float), 3, extrapolate=False)
    expected = spline(positions)
    rows = neighbours_in_rows(control_points)
    rows = np.concatenate([rows, np.full((num_spare_rows, rows.shape[1]), 1e9)])
    cells = np.clip(np.floor(positions), 1, np.array(shape) - 3)
    values = spline_at_points(
        ops.convert_to_tensor(rows, "float32"),
        ops.convert_to_tensor(shape, "int32"),
        ops.convert_to_tensor(cells.T, "int32"),
        ops.convert_to_tensor((positions - cells).T, "float32"),
    )
    np.testing.assert_allclose(ops.convert_to_numpy(values), expected, atol=2e-6)
    assert np.abs(expected).max() > 0.5
