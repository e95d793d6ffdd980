"""Weights as SciPy has them and control points where ITK has them, in any array."""

import keras
import numpy as np
import pytest
import SimpleITK as sitk
import tensorflow as tf
from scipy.interpolate import BSpline

from dlir_tf.splines.lattice import (
    STENCILS,
    inside_axis,
    lattice_coordinate,
    lattice_origin,
    lattice_shape,
    spline_slopes,
    spline_weights,
    spline_window,
)

BASIS = BSpline.basis_element(np.arange(-2.0, 3.0), extrapolate=False)
OFFSETS = np.linspace(0, 1, 41)
# From the control points around the cell to the place in it.
DISTANCES = OFFSETS - np.arange(-1, 3)[:, None]


def with_numpy(function, values):
    return function(values)


def with_keras(function, values):
    result = function(keras.ops.convert_to_tensor(values, "float32"))
    return keras.tree.map_structure(keras.ops.convert_to_numpy, result)


def with_tensorflow(function, values):
    """In a graph that doesn't know the size."""
    signature = [tf.TensorSpec([None], tf.float64)]
    return tf.function(function, input_signature=signature, autograph=False)(values)


ALL = pytest.mark.parametrize(
    ("call", "atol"),
    [(with_numpy, 1e-15), (with_keras, 2e-7), (with_tensorflow, 1e-15)],
    ids=["numpy", "keras", "tensorflow"],
)


@ALL
def test_weights_are_those_of_scipy(call, atol):
    weights = np.stack(call(spline_weights, OFFSETS))
    np.testing.assert_allclose(weights, np.nan_to_num(BASIS(DISTANCES)), atol=atol)
    assert np.ptp(weights[1]) > 0.4


@ALL
def test_constants_and_lines_come_back(call, atol):
    weights = np.stack(call(spline_weights, OFFSETS))
    np.testing.assert_allclose(weights.sum(axis=0), 1, atol=atol)
    np.testing.assert_allclose(np.arange(-1, 3) @ weights, OFFSETS, atol=3 * atol)


@ALL
def test_slopes_are_those_of_scipy_and_finite_differences(call, atol):
    slopes = np.stack(call(spline_slopes, OFFSETS))
    expected = np.nan_to_num(BASIS.derivative()(DISTANCES))
    np.testing.assert_allclose(slopes, expected, atol=3 * atol)
    inner, step = OFFSETS[1:-1], 1e-5
    before, after = (np.stack(spline_weights(inner + s)) for s in (-step, step))
    differences = (after - before) / (2 * step)
    np.testing.assert_allclose(slopes[:, 1:-1], differences, atol=1e-6)


@ALL
def test_window_is_the_weight_at_a_distance(call, atol):
    distances = np.linspace(-3.5, 3.5, 57)
    window = np.asarray(call(spline_window, distances))
    expected = np.nan_to_num(BASIS(distances))
    np.testing.assert_allclose(window, expected, atol=atol)
    assert (window[np.abs(distances) >= 2] == 0).all()


def test_window_is_known_to_symbolic_models():
    assert spline_window(keras.KerasTensor((None, 3))).shape == (None, 3)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_stencils_are_derivatives_at_a_knot(order):
    derivative = BASIS.derivative(order) if order else BASIS
    expected = derivative([1.0, 0.0, -1.0])
    np.testing.assert_allclose(STENCILS[order], expected, atol=1e-15)


def itk_lattice(size, spacing):
    """ITK's own coefficients for the image and half a cell around it, in voxels."""
    ndim = len(size)
    transform = sitk.BSplineTransform(ndim, 3)
    transform.SetTransformDomainOrigin([-0.5 - s / 2 for s in spacing])
    transform.SetTransformDomainPhysicalDimensions(
        [float(n + s) for n, s in zip(size, spacing, strict=True)]
    )
    transform.SetTransformDomainMeshSize(
        [n // s + 1 for n, s in zip(size, spacing, strict=True)]
    )
    return transform.GetCoefficientImages()[0]


@ALL
@pytest.mark.parametrize(
    ("size", "spacing"), [((12, 20), (4, 2)), ((8, 6, 5), (8, 3, 1))]
)
def test_control_points_lie_where_itk_has_them(size, spacing, call, atol):
    coefficients = itk_lattice(size, spacing)
    assert lattice_shape(size, spacing) == coefficients.GetSize()
    first = call(lattice_origin, np.asarray(spacing, float))
    np.testing.assert_allclose(first, coefficients.GetOrigin(), atol=100 * atol)
    for axis, (length, step) in enumerate(zip(size, spacing, strict=True)):
        voxels = np.linspace(-0.5, length - 0.5, 2 * length + 1)
        points = np.zeros((len(voxels), len(size)))
        points[:, axis] = voxels
        expected = [
            coefficients.TransformPhysicalPointToContinuousIndex(point)[axis]
            for point in points.tolist()
        ]
        found = call(lambda v, s=step: lattice_coordinate(v, s), voxels)
        np.testing.assert_allclose(found, expected, atol=100 * atol)
        inside = call(lambda v, n=length, s=step: _inside(v, n, s), voxels)
        assert np.asarray(inside).all()


def _inside(voxels, length, step):
    (size,) = lattice_shape([length], [step])
    return inside_axis(lattice_coordinate(voxels, step), size)


@ALL
def test_the_border_belongs_to_the_lattice(call, atol):
    places = np.array([0.99, 1.0, 3.5, 7.0, 7.01])
    inside = call(lambda positions: inside_axis(positions, 9), places)
    assert np.asarray(inside).tolist() == [False, True, True, True, False]
