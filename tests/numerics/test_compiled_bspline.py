"""The compiled spline is the spline, and SciPy's."""

import numpy as np
import pytest
from scipy.interpolate import NdBSpline

from dlir_tf.images import Image
from dlir_tf.numerics.compiled_bspline import CompiledBSpline
from dlir_tf.transforms import BSpline, Transform

LATTICES = {2: (7, 5), 3: (6, 4, 9)}


@pytest.mark.parametrize("ndim", [2, 3])
def test_many_points_are_mapped_as_few_are(rng, ndim):
    turn, _ = np.linalg.qr(rng.normal(size=(ndim, ndim)))
    lattice = np.eye(ndim + 1)
    lattice[:-1, :-1] = turn * rng.uniform(8, 30, ndim)
    lattice[:-1, -1] = rng.normal(size=ndim) * 100
    shape = {2: (9, 12), 3: (9, 7, 8)}[ndim]
    control_points = 10 * rng.normal(size=(*shape, ndim))
    exact = BSpline(control_points, lattice)
    compiled = CompiledBSpline(control_points, lattice)
    places = rng.uniform(-0.2, 1.1, (70_001, ndim)) * shape
    points = places @ lattice[:-1, :-1].T + lattice[:-1, -1]
    before = points.copy()
    mapped = compiled.map_points(points)
    np.testing.assert_allclose(mapped, exact.map_points(points), atol=1e-9)
    np.testing.assert_array_equal(points, before)
    assert np.abs(mapped - points).max() > 10
    few = compiled.map_points(points[:50])
    np.testing.assert_array_equal(few, exact.map_points(points[:50]))


def test_a_field_made_with_compiled_splines_is_the_same(rng):
    """Slabs come from several threads at once."""
    lattices = [np.diag([s, s, s, 1.0]) for s in (16.0, 8.0)]
    points = [rng.normal(size=(12, 14, 12, 3)) for _ in lattices]
    reference = Image(np.zeros((70, 60, 50)), np.diag([1.0, 1.1, 0.9, 1.0]))
    fields = [
        Transform(tuple(map(kind, points, lattices))).displacement(reference)
        for kind in (BSpline, CompiledBSpline)
    ]
    np.testing.assert_allclose(fields[1], fields[0], atol=1e-6)
    assert np.abs(fields[0]).max() > 1


@pytest.mark.parametrize("ndim", [2, 3])
def test_scipy_gives_the_same_values(rng, ndim):
    shape = LATTICES[ndim]
    control_points = rng.normal(size=(*shape, ndim))
    positions = rng.uniform(1, np.array(shape) - 2, (2000, ndim))
    positions[0] = 1.0
    positions[1] = np.array(shape) - 2.0  # the border belongs to the lattice
    knots = tuple(np.arange(size + 4) - 2.0 for size in shape)
    spline = NdBSpline(knots, control_points, 3, extrapolate=False)
    expected = spline(positions)
    compiled = CompiledBSpline(control_points, np.eye(ndim + 1))
    found = compiled.map_points(positions) - positions
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert np.abs(expected).max() > 0.5
    outside = positions.copy()
    outside[::2, -1] = shape[-1] - 1.9
    outside[1::2, 0] = np.nan
    np.testing.assert_array_equal(compiled.map_points(outside), outside)
