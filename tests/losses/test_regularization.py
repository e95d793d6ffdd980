"""Bending energy: exact second derivatives of the spline, in mm."""

import numpy as np
import pytest
import tensorflow as tf
from scipy.interpolate import BSpline

from dlir_tf.losses import bending_energy

# Control point spacings in voxels, voxel sizes in mm of two samples.
CASES = {
    2: ((4, 2), [(1.2, 0.5), (2.0, 3.0)]),
    3: ((8, 4, 1), [(1.56, 1.4, 10.0), (1.0, 2.0, 3.0)]),
}
LATTICES = {2: (6, 8), 3: (5, 7, 6)}


def _basis(size, order, spacing):
    """Derivatives of SciPy's cubic B-splines at the inner knots of an axis."""
    basis = BSpline.basis_element(np.arange(-2.0, 3.0), extrapolate=False)
    knots, points = np.arange(1, size - 1), np.arange(size)
    values = (basis.derivative(order) if order else basis)(
        (knots[:, None] - points).astype(float)
    )
    return np.nan_to_num(values) / spacing**order


def _independent_energy(control_points, steps, spacing):
    """By dense matrices, one sample, second derivatives as a full Hessian."""
    ndim = len(steps)
    steps_mm = np.asarray(steps) * spacing
    energy = 0.0
    for component in range(ndim):
        in_mm = control_points[..., component].astype(float) * spacing[component]
        for a in range(ndim):
            for b in range(ndim):
                derivative = in_mm
                for axis in range(ndim):
                    order = int(axis == a) + int(axis == b)
                    matrix = _basis(in_mm.shape[axis], order, steps_mm[axis])
                    derivative = np.moveaxis(
                        np.tensordot(matrix, derivative, (1, axis)), 0, axis
                    )
                energy = energy + derivative**2
    return energy.mean()


def _positions(ndim, steps):
    axes = [s * np.arange(n) for s, n in zip(steps, LATTICES[ndim], strict=True)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).astype(float)


@pytest.mark.parametrize("ndim", [2, 3])
def test_energy_agrees_with_scipys_second_derivatives_at_the_knots(ndim, rng):
    steps, spacings = CASES[ndim]
    shape = (2, *LATTICES[ndim], ndim)
    control_points = rng.normal(size=shape).astype("float32")
    control_points[1] *= 3
    energy = bending_energy(control_points, steps, np.asarray(spacings, "float32"))
    expected = [
        _independent_energy(c, steps, np.asarray(s))
        for c, s in zip(control_points, spacings, strict=True)
    ]
    np.testing.assert_allclose(energy, expected, rtol=1e-5)


@pytest.mark.parametrize("ndim", [2, 3])
def test_affine_displacements_have_none(ndim, rng):
    steps, spacings = CASES[ndim]
    slope, offset = 0.3 * rng.normal(size=(ndim, ndim)), rng.normal(size=ndim)
    points = _positions(ndim, steps) @ slope + offset
    points = np.stack([points, -points]).astype("float32")
    energy = bending_energy(points, steps, np.asarray(spacings, "float32"))
    np.testing.assert_allclose(energy, [0, 0], atol=1e-9)


def test_quadratic_displacement_has_its_known_energy():
    """u = (a x² / 2 + b x y, 0) in mm: the Hessian is [[a, b], [b, 0]]."""
    steps, spacing = (4, 2), np.array([1.5, 0.5])
    a, b = 0.02, 0.05
    x, y = np.moveaxis(_positions(2, steps) * spacing, -1, 0)
    in_mm = np.stack([a * x**2 / 2 + b * x * y, np.zeros_like(x)], axis=-1)
    energy = bending_energy(
        (in_mm / spacing)[None].astype("float32"),
        steps,
        spacing[None].astype("float32"),
    )
    np.testing.assert_allclose(energy, [a**2 + 2 * b**2], rtol=1e-3)


def test_same_spline_on_other_voxels_has_the_same_energy(rng):
    """Half as large voxels, twice as many between control points and in each step."""
    control_points = rng.normal(size=(1, 6, 7, 5, 3)).astype("float32")
    coarse = bending_energy(control_points, (4, 2, 1), np.float32([[2, 3, 8]]))
    fine = bending_energy(
        control_points * np.float32([2, 1, 4]), (8, 2, 4), np.float32([[1, 3, 2]])
    )
    np.testing.assert_allclose(fine, coarse, rtol=1e-5)


def test_one_int_stands_for_every_axis(rng):
    control_points = rng.normal(size=(2, 6, 7, 2)).astype("float32")
    spacing = np.float32([[1, 2], [3, 1]])
    np.testing.assert_array_equal(
        bending_energy(control_points, 4, spacing),
        bending_energy(control_points, (4, 4), spacing),
    )


def test_gradient_is_that_of_a_quadratic_form(rng):
    """Of degree two: the slope along the control points is twice the energy."""
    control_points = tf.constant(rng.normal(size=(2, 5, 6, 2)).astype("float32"))
    with tf.GradientTape() as tape:
        tape.watch(control_points)
        energy = bending_energy(control_points, (2, 4), np.ones((2, 2), "float32"))
    gradient = tape.gradient(energy, control_points)
    slope = tf.reduce_sum(gradient * control_points, axis=(1, 2, 3))
    np.testing.assert_allclose(slope, 2 * energy, rtol=1e-4)


def test_sizes_may_be_unknown_to_the_graph(rng):
    graph = tf.function(
        lambda points: bending_energy(points, 2, tf.ones((1, 2))),
        input_signature=[tf.TensorSpec((None, None, None, 2))],
        autograph=False,
    )
    for size in ((5, 6), (7, 5)):
        points = rng.normal(size=(1, *size, 2)).astype("float32")
        expected = bending_energy(points, 2, np.ones((1, 2), "float32"))
        np.testing.assert_allclose(graph(points), expected, rtol=1e-5)
