"""The compiled spline is the spline."""

import numpy as np
import pytest

from dlir_tf.images import Image
from dlir_tf.numerics.compiled_bspline import CompiledBSpline
from dlir_tf.transforms import BSpline, Transform


@pytest.mark.parametrize("ndim", [2, 3])
def test_many_points_are_mapped_as_few_are(rng, ndim):
    turn, _ = np.linalg.qr(rng.normal(size=(ndim, ndim)))
    lattice = np.eye(ndim + 1)
    lattice[:-1, :-1] = turn * rng.uniform(8, 30, ndim)
    lattice[:-1, -1] = rng.normal(size=ndim) * 100
    shape = {2: (9, 12), 3: (9, 7, 8)}[ndim]
    control_points = 10 * rng.normal(size=(*shape, ndim))
    plain = BSpline(control_points, lattice)
    compiled = CompiledBSpline(control_points, lattice)
    places = rng.uniform(-0.2, 1.1, (70_001, ndim)) * shape  # more than one block
    points = places @ lattice[:-1, :-1].T + lattice[:-1, -1]
    before = points.copy()
    mapped = compiled.map_points(points)
    np.testing.assert_allclose(mapped, plain.map_points(points), atol=3e-5)
    np.testing.assert_array_equal(points, before)
    assert np.abs(mapped - points).max() > 10
    few = compiled.map_points(points[:50])
    np.testing.assert_array_equal(few, plain.map_points(points[:50]))


def test_a_field_made_with_compiled_splines_is_the_same(rng):
    """Slabs come from several threads at once."""
    lattices = [np.diag([s, s, s, 1.0]) for s in (16.0, 8.0)]
    points = [rng.normal(size=(12, 14, 12, 3)) for _ in lattices]
    reference = Image(np.zeros((70, 60, 50)), np.diag([1.0, 1.1, 0.9, 1.0]))
    fields = [
        Transform(tuple(map(kind, points, lattices))).displacement(reference)
        for kind in (BSpline, CompiledBSpline)
    ]
    np.testing.assert_allclose(fields[1], fields[0], atol=3e-5)
    assert np.abs(fields[0]).max() > 1
