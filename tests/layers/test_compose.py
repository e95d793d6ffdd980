"""Compose: matrices by linear algebra, fields by SciPy, both in the right order."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from dlir_tf.layers import Compose, Warp
from dlir_tf.layers.compose import is_matrix

SIZES = {2: (6, 5), 3: (5, 4, 6)}
BATCH = 2


def _matrix(rng, ndim, strength=0.1):
    noise = strength * rng.normal(size=(BATCH, ndim, ndim + 1))
    return (np.eye(ndim, ndim + 1) + noise).astype("float32")


def _field(rng, ndim, strength=1.5):
    field = strength * rng.normal(size=(BATCH, *SIZES[ndim], ndim))
    return field.astype("float32")


def _grid(ndim):
    return np.moveaxis(np.indices(SIZES[ndim], dtype=float), 0, -1)


def _apply(transform, points):
    """Maps points `(batch, *size, ndim)` by a matrix or a field, one at a time."""
    result = np.empty_like(points)
    for b, sample in enumerate(transform.astype(float)):
        if transform.ndim == 3:
            result[b] = points[b] @ sample[:, :-1].T + sample[:, -1]
            continue
        at = np.moveaxis(points[b], -1, 0)
        for c in range(points.shape[-1]):
            displaced = ndimage.map_coordinates(
                sample[..., c], at, order=1, mode="nearest"
            )
            result[b, ..., c] = points[b, ..., c] + displaced
    return result


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("inner", ["matrix", "field"])
@pytest.mark.parametrize("outer", ["matrix", "field"])
def test_point_goes_through_the_inner_transform_first(outer, inner, ndim, rng):
    make = {"matrix": _matrix, "field": _field}
    first, last = make[inner](rng, ndim), make[outer](rng, ndim)
    result = Compose()(last, first).numpy()
    assert is_matrix(result) == (outer == inner == "matrix")
    points = np.broadcast_to(_grid(ndim), (BATCH, *SIZES[ndim], ndim))
    expected = _apply(last, _apply(first, points))
    if is_matrix(result):
        np.testing.assert_allclose(_apply(result, points), expected, atol=1e-5)
    else:
        np.testing.assert_allclose(points + result, expected, atol=1e-5)


def test_matrix_is_exact_outside_the_grid(rng):
    """A field repeats its border there; a matrix has none."""
    shift = np.full((BATCH, *SIZES[2], 2), 100, "float32")
    double = np.broadcast_to(2 * np.eye(2, 3, dtype="float32"), (BATCH, 2, 3))
    result = Compose()(double, shift)
    np.testing.assert_array_equal(
        result, np.broadcast_to(_grid(2) + 200, shift.shape).astype("float32")
    )


def test_shift_after_shift_is_their_sum():
    one = np.broadcast_to(np.float32([1, -2, 0.5]), (BATCH, *SIZES[3], 3))
    two = np.broadcast_to(np.float32([0.25, 3, -1]), (BATCH, *SIZES[3], 3))
    np.testing.assert_array_equal(Compose()(one, two), one + two)


def test_composition_is_neither_addition_nor_commutative(rng):
    one, two = _field(rng, 2), _field(rng, 2)
    result = Compose()(one, two).numpy()
    assert np.abs(result - (one + two)).mean() > 0.3
    assert np.abs(result - Compose()(two, one).numpy()).mean() > 0.3


def test_identity_changes_nothing(rng):
    field, matrix = _field(rng, 3), _matrix(rng, 3)
    zero = np.zeros_like(field)
    identity = np.broadcast_to(np.eye(3, 4, dtype="float32"), matrix.shape)
    np.testing.assert_array_equal(Compose()(field, zero), field)
    np.testing.assert_array_equal(Compose()(zero, field), field)
    np.testing.assert_array_equal(Compose()(matrix, identity), matrix)
    np.testing.assert_array_equal(Compose()(identity, matrix), matrix)
    np.testing.assert_allclose(Compose()(field, identity), field, atol=1e-6)
    np.testing.assert_allclose(Compose()(identity, field), field, atol=1e-6)


def test_one_warp_by_the_composition_equals_two(rng):
    """Whole voxels, so that no interpolation comes between; borders left out."""
    image = rng.random((BATCH, *SIZES[2], 1), dtype="float32")
    outer = rng.integers(-1, 2, (BATCH, *SIZES[2], 2)).astype("float32")
    inner = rng.integers(-1, 2, (BATCH, *SIZES[2], 2)).astype("float32")
    once = Warp()(image, Compose()(outer, inner)).numpy()
    twice = Warp()(Warp()(image, outer), inner).numpy()
    np.testing.assert_array_equal(once[:, 1:-1, 1:-1], twice[:, 1:-1, 1:-1])


@pytest.mark.parametrize("inner", ["matrix", "field"])
def test_gradient_to_the_outer_field_can_be_switched_off(inner, rng):
    make = {"matrix": _matrix, "field": _field}
    outer, inside = tf.constant(_field(rng, 2)), tf.constant(make[inner](rng, 2))
    weights = rng.normal(size=outer.shape).astype("float32")

    def gradients(layer):
        with tf.GradientTape() as tape:
            tape.watch([outer, inside])
            value = tf.reduce_sum(layer(outer, inside) * weights)
        return tape.gradient(value, [outer, inside])

    to_outer, to_inner = gradients(Compose())
    none, same = gradients(Compose(outer_gradient=False))
    assert none is None or not np.any(none)
    np.testing.assert_allclose(same, to_inner, atol=1e-5)
    # The result is linear in the outer field, so along a direction it is exact.
    direction = _field(rng, 2)
    changed = Compose()(outer + direction, inside) - Compose()(outer, inside)
    np.testing.assert_allclose(
        np.sum(to_outer * direction), np.sum(changed * weights), rtol=1e-4
    )


def test_wrong_shapes_are_named(rng):
    matrix, field = _matrix(rng, 2), _field(rng, 2)
    with pytest.raises(ValueError, match=r"\(batch, ndim, ndim \+ 1\).*\(2, 2, 2\)"):
        Compose()(matrix[..., :2], field)
    with pytest.raises(ValueError, match=r"same rank.*3-d outer, 2-d inner"):
        Compose()(_matrix(rng, 3), field)
    with pytest.raises(ValueError, match=r"\(batch, \*spatial, 2\)"):
        Compose()(field, field[..., :1])
