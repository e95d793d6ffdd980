"""B-splines: ITK gives the same field at every voxel, and bounded ones can't fold."""

import numpy as np
import pytest
import SimpleITK as sitk
import tensorflow as tf

from dlir_tf.compute.compilation import without_islands
from dlir_tf.layers import BSplineTransformer
from dlir_tf.layers.bspline import INJECTIVITY_LIMIT, bound_control_points

BATCH = 2
# Control point spacings, lattice cells within the image, voxel sizes in mm.
LATTICES = {
    "2-d": ((4, 2), (2, 3), (1.2, 0.5)),
    "2-d, every voxel": ((1, 1), (3, 2), (1.0, 2.0)),
    "3-d": ((2, 2, 2), (1, 3, 2), (1.0, 1.5, 0.7)),
    "3-d, thick slices": ((8, 4, 1), (1, 2, 3), (1.56, 1.4, 10.0)),
}


def _control_points(rng, cells, strength=3.0):
    shape = (BATCH, *(n + 4 for n in cells), len(cells))
    return (strength * rng.normal(size=shape)).astype("float32")


def _oblique(ndim):
    """A turned and mirrored frame."""
    angle = 0.4
    matrix = np.eye(ndim)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    if ndim == 3:
        tilt = np.eye(3)
        tilt[1:, 1:] = matrix[:2, :2]
        matrix = tilt @ matrix
    matrix[:, 0] *= -1
    return matrix


def _itk_field(control_points, steps, spacing):
    """The spline of ITK on the documented lattice, asked at every voxel, in voxels."""
    ndim = len(steps)
    direction, origin = _oblique(ndim), np.arange(ndim) * 7.0 - 20
    to_mm = direction * spacing
    first = np.array([(s - 1) / 2 - 2 * s for s in steps])
    lattice = control_points.shape[:-1]
    transform = sitk.BSplineTransform(ndim, 3)
    transform.SetFixedParameters(
        [
            *map(float, lattice),
            *(origin + to_mm @ first),
            *(np.asarray(steps) * spacing),
            *direction.ravel(),
        ]
    )
    coefficients = control_points.astype(float) @ to_mm.T
    # ITK's first axis runs fastest, our last one.
    transform.SetParameters(
        np.concatenate([coefficients[..., a].ravel(order="F") for a in range(ndim)])
    )
    size = [(n - 4) * s for n, s in zip(lattice, steps, strict=True)]
    field = np.empty((*size, ndim))
    for voxel in np.ndindex(*size):
        point = origin + to_mm @ voxel
        moved = np.asarray(transform.TransformPoint(point))
        field[voxel] = np.linalg.solve(to_mm, moved - point)
    return field


@pytest.mark.parametrize("case", LATTICES)
def test_itk_gives_the_same_displacement_at_every_voxel(case, rng):
    steps, cells, spacing = LATTICES[case]
    control_points = _control_points(rng, cells)
    ddf = BSplineTransformer(steps)(control_points)
    expected = [_itk_field(c, steps, np.asarray(spacing)) for c in control_points]
    assert np.abs(expected).max() > 1
    np.testing.assert_allclose(ddf, expected, atol=1e-5)


@pytest.mark.parametrize("case", LATTICES)
def test_linear_control_points_give_the_same_linear_field(case, rng):
    """A cubic B-spline reproduces polynomials of degree one exactly."""
    steps, cells, _ = LATTICES[case]
    ndim = len(steps)
    slope, offset = rng.normal(size=(ndim, ndim)), rng.normal(size=ndim)
    axes = [
        s * np.arange(n + 4) + (s - 1) / 2 - 2 * s
        for s, n in zip(steps, cells, strict=True)
    ]
    positions = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
    control_points = (positions @ slope.T + offset)[None].astype("float32")
    with without_islands():
        ddf = BSplineTransformer(steps)(control_points)
    size = [n * s for n, s in zip(cells, steps, strict=True)]
    voxels = np.moveaxis(np.indices(size), 0, -1)
    np.testing.assert_allclose(ddf[0], voxels @ slope.T + offset, atol=2e-5)


def test_one_int_stands_for_every_axis(rng):
    control_points = _control_points(rng, (2, 1, 2))
    with without_islands():
        one, three = (BSplineTransformer(s)(control_points) for s in (2, (2, 2, 2)))
    np.testing.assert_array_equal(one, three)


def test_gradient_is_that_of_a_linear_map(rng):
    control_points = tf.constant(_control_points(rng, (2, 3)))
    layer = BSplineTransformer((4, 2))
    with tf.GradientTape() as tape:
        tape.watch(control_points)
        ddf = layer(control_points)
        weights = rng.normal(size=ddf.shape).astype("float32")
        value = tf.reduce_sum(ddf * weights)
    gradient = tape.gradient(value, control_points)
    direction = _control_points(rng, (2, 3))
    expected = np.sum(layer(direction).numpy().astype(float) * weights)
    np.testing.assert_allclose(np.sum(gradient * direction), expected, rtol=1e-4)


def _smallest_determinant(ddf):
    """Of the Jacobian by finite differences, along all edges at every voxel."""
    ndim = ddf.shape[-1]
    columns = []
    for axis in range(ndim):
        slope = np.diff(ddf, axis=axis)
        keep = [slice(0, n - 1) for n in ddf.shape[:-1]]
        columns.append(slope[tuple(keep)] + np.eye(ndim)[axis])
    return np.linalg.det(np.stack(columns, axis=-1)).min()


@pytest.mark.parametrize("steps", [(16, 8), (8, 8, 4)], ids=["2-d", "3-d"])
def test_injective_layer_cannot_fold_and_a_free_one_does(steps, rng):
    """Nearly every control point is at its limit, in random directions."""
    control_points = _control_points(rng, (4, 5, 4)[: len(steps)], strength=1e3)
    with without_islands():
        bounded = BSplineTransformer(steps, injective=True)(control_points).numpy()
        free = BSplineTransformer(steps)(control_points / 50).numpy()
    for field in bounded.astype(float):
        assert 0 < _smallest_determinant(field) < 0.5
    for field in free.astype(float):
        assert _smallest_determinant(field) < 0


@pytest.mark.parametrize(
    ("steps", "limit"), [((8, 2), 2.0464), ((8, 4, 1), 2.4795)], ids=["2-d", "3-d"]
)
def test_bound_follows_the_spacing_of_each_axis(steps, limit):
    ndim = len(steps)
    assert INJECTIVITY_LIMIT[ndim] == 1 / limit
    shape = (1, *[5] * ndim, ndim)
    for sign in (1, -1):
        huge = np.full(shape, sign * 1e4, "float32")
        bounded = bound_control_points(huge, steps).numpy()
        expected = np.broadcast_to(sign * np.asarray(steps) / limit, shape)
        np.testing.assert_allclose(bounded, expected, rtol=1e-6)
    small = np.full(shape, 1e-3, "float32")
    np.testing.assert_allclose(bound_control_points(small, steps), small, rtol=1e-4)
    zero = np.zeros(shape, "float32")
    np.testing.assert_array_equal(bound_control_points(zero, steps), zero)


@pytest.mark.parametrize("spacing", [0, -2, (4, 0), (4.5, 2), (), "4"])
def test_spacing_is_a_positive_int(spacing):
    with pytest.raises(ValueError, match=r"control_point_spacing.*Received"):
        BSplineTransformer(spacing)


def test_spacing_may_come_from_numpy():
    layer = BSplineTransformer(tuple(np.array([4, 2])))
    assert layer.get_config()["control_point_spacing"] == (4, 2)
    assert BSplineTransformer(np.int64(3)).control_point_spacing == 3


def test_wrong_lattices_are_named(rng):
    layer = BSplineTransformer((4, 2))
    with pytest.raises(ValueError, match=r"ndim 2 or 3.*\(2, 6, 6, 3\)"):
        layer(np.zeros((2, 6, 6, 3), "float32"))
    with pytest.raises(ValueError, match=r"at least 5 control points.*\(6, 4\)"):
        layer(np.zeros((2, 6, 4, 2), "float32"))
    with pytest.raises(ValueError, match="3 ints, one per axis"):
        layer(np.zeros((2, 6, 6, 6, 3), "float32"))
