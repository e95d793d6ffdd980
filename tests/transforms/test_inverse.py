"""Inverses and derivatives: checked against the points that the transform maps."""

import numpy as np
import pytest
from itk_judge import grid_of, itk_map, random_frame, random_parameters, sitk_image

from dlir_tf.images import Image
from dlir_tf.transforms import Affine, BSpline, DenseField, Inverse, Transform

CASES = [(ndim, count) for ndim in (2, 3) for count in (0, 1, 3)]


def inner_points(rng, parameters, count=400):
    """Well inside the working grid, so that every spline has something to say."""
    ndim = parameters.ndim
    voxels = rng.uniform(0.3, 0.7, (count, ndim)) * parameters.grid.shape
    affine = parameters.grid.affine
    return voxels @ affine[:-1, :-1].T + affine[:-1, -1]


def finite_differences(transform, points, step=1e-4):
    columns = [
        (transform.map_points(points + e) - transform.map_points(points - e))
        / (2 * step)
        for e in step * np.eye(transform.ndim)
    ]
    return np.stack(columns, axis=-1)


@pytest.mark.parametrize(("ndim", "num_splines"), CASES)
def test_the_inverse_brings_points_back(rng, ndim, num_splines):
    parameters = random_parameters(rng, ndim, num_splines, size=0.15)
    transform = parameters.ours()
    points = inner_points(rng, parameters)
    mapped = transform.map_points(points)
    np.testing.assert_allclose(
        transform.inverse().map_points(mapped), points, atol=1e-4
    )
    assert np.abs(mapped - points).max() > 1
    assert transform.inverse_residual(mapped).max() < 1e-4
    back = transform.inverse().inverse().map_points(points)
    np.testing.assert_allclose(back, mapped, atol=1e-9)


def test_strong_contractions_need_newton_and_get_it(rng, monkeypatch):
    """Plain iteration comes nearer by a fraction of the distance that's left only."""
    index = np.moveaxis(np.indices((12, 12)), 0, -1)
    spline = BSpline(-0.95 * (index - 5.5) * 8.0, np.diag([8.0, 8.0, 1.0]))
    squeeze = Transform((spline,))
    points = rng.uniform(20, 70, (200, 2))
    mapped = squeeze.map_points(points)
    np.testing.assert_allclose(mapped, 44 + 0.05 * (points - 44))
    assert squeeze.inverse_residual(mapped).max() < 1e-5
    np.testing.assert_allclose(squeeze.inverse().map_points(mapped), points, atol=1e-3)
    monkeypatch.setattr("dlir_tf.transforms.inverse._NEWTON_STEPS", 0)
    assert squeeze.inverse_residual(mapped).max() > 0.1


def test_a_fold_has_no_inverse_and_the_residual_says_so():
    line = np.linspace(0, 9, 10)
    field = np.zeros((10, 10, 2), np.float32)
    field[..., 0] = np.where(line < 5, 0, 4)[:, None]  # nothing lands on 5 to 8
    gap = Transform((DenseField(field, np.diag([1.0, 1.0, 1.0])),))
    affine_gap = np.array([[6.0, 4.0], [1.0, 4.0]])
    residual = gap.inverse_residual(affine_gap)
    assert residual[1] < 1e-4
    field[..., 0] = (-2 * np.maximum(line - 4, 0))[:, None]  # nothing reaches 6
    residual = Transform((DenseField(field, np.eye(3)),)).inverse_residual(affine_gap)
    assert residual[0] > 0.5


@pytest.mark.parametrize(("ndim", "num_splines"), CASES)
def test_the_jacobian_is_how_mapped_points_change(rng, ndim, num_splines):
    parameters = random_parameters(rng, ndim, num_splines, size=0.3)
    transform = parameters.ours()
    points = inner_points(rng, parameters, 100)
    expected = finite_differences(transform, points)
    np.testing.assert_allclose(transform.jacobian(points), expected, atol=1e-5)
    inverse = transform.inverse()
    mapped = transform.map_points(points)
    np.testing.assert_allclose(
        inverse.jacobian(mapped), np.linalg.inv(expected), atol=1e-3
    )


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_determinant_on_a_grid_is_that_of_its_points(rng, monkeypatch, ndim):
    monkeypatch.setattr("dlir_tf.transforms.slabs._SLAB_VOXELS", 50)
    parameters = random_parameters(rng, ndim, 2, size=0.5)
    transform = parameters.ours()
    shape = {2: (9, 7), 3: (6, 5, 7)}[ndim]
    centre = inner_points(rng, parameters, 500).mean(axis=0)
    affine = random_frame(rng, rng.uniform(0.5, 1, ndim), centre, shape)
    reference = Image(np.zeros(shape), affine)
    points = grid_of(reference).reshape(-1, ndim)
    expected = np.linalg.det(finite_differences(transform, points)).reshape(shape)
    determinant = transform.jacobian_determinant(reference)
    assert determinant.dtype == np.float32
    np.testing.assert_allclose(determinant, expected, atol=1e-4)
    assert np.ptp(expected) > 0.2


@pytest.mark.parametrize("ndim", [2, 3])
def test_itk_maps_points_through_a_dense_field_alike(rng, ndim):
    """Inside, in the half voxel around it, and outside, where nothing moves."""
    import SimpleITK as sitk

    shape = {2: (9, 12), 3: (7, 9, 6)}[ndim]
    affine = random_frame(rng, rng.uniform(0.7, 3, ndim), 30 * np.arange(ndim), shape)
    field = rng.normal(size=(*shape, ndim)).astype(np.float32)
    dense = DenseField(field, affine)
    vectors = field * np.array([-1, -1, 1], np.float32)[:ndim]
    image = sitk.GetImageFromArray(
        vectors.transpose(*range(ndim)[::-1], ndim).astype(np.float64), isVector=True
    )
    image.CopyInformation(sitk_image(Image(np.zeros(shape), affine)))
    reference = sitk.DisplacementFieldTransform(image)
    voxels = rng.uniform(-0.2, 1.2, (600, ndim)) * shape
    points = voxels @ affine[:-1, :-1].T + affine[:-1, -1]
    covered = dense.covers(points)
    assert 0.2 < covered.mean() < 0.9
    mapped = dense.map_points(points)
    np.testing.assert_allclose(mapped, itk_map(reference, points), atol=1e-5)
    np.testing.assert_array_equal(mapped[~covered], points[~covered])


def test_the_jacobian_of_a_dense_field_of_one_slope(rng):
    """A linear field has the same slopes everywhere, also at the border."""
    affine = random_frame(rng, (0.7, 2.0, 5.0), np.zeros(3), (5, 6, 4))
    slope = 0.2 * rng.normal(size=(3, 3))
    grid = Image(np.zeros((5, 6, 4)), affine)
    field = DenseField(grid_of(grid) @ slope.T, affine)
    points = grid_of(grid).reshape(-1, 3)
    np.testing.assert_allclose(
        field.jacobian(points), np.broadcast_to(np.eye(3) + slope, (120, 3, 3))
    )
    far = points + 100.0
    np.testing.assert_array_equal(field.jacobian(far)[0], np.eye(3))


def test_composition_is_one_after_the_other(rng):
    first, second = (random_parameters(rng, 3, 2).ours() for _ in range(2))
    points = rng.normal(size=(50, 3)) * 20
    np.testing.assert_array_equal(
        second.compose(first).map_points(points),
        second.map_points(first.map_points(points)),
    )


def test_coverage_is_where_all_deformations_are_defined(rng):
    parameters = random_parameters(rng, 3, 2)
    transform = parameters.ours()
    inside = inner_points(rng, parameters)
    assert transform.covers(inside).all()
    assert not transform.covers(inside + 1000.0).any()
    assert (
        not Transform((Inverse(transform.components[0]),)).covers(inside + 1000.0).any()
    )
    assert Transform((Affine(np.eye(4)),)).covers(inside + 1000.0).all()


def test_the_inverse_covers_only_what_is_reached():
    """Where a field ends, points on one side of the gap come from nowhere."""
    field = np.zeros((20, 9, 2))
    field[..., 0] = -3.0  # 0 to 19 goes to -3 to 16
    inverse = Transform((DenseField(field, np.eye(3)),)).inverse()
    places = np.array([[1.0, 4.0], [10.0, 4.0], [16.0, 4.0], [18.5, 4.0]])
    assert inverse.covers(places).tolist() == [True, True, True, False]


def test_what_is_no_transform_is_refused():
    flat = Affine(np.eye(3))
    with pytest.raises(ValueError, match="at least one component"):
        Transform(())
    with pytest.raises(ValueError, match=r"same rank. Received ranks: \[2, 3\]"):
        Transform((flat, Affine(np.eye(4))))
    with pytest.raises(ValueError, match="can be inverted"):
        Affine(np.diag([1.0, 0.0, 1.0]))
    with pytest.raises(ValueError, match="last row"):
        Affine(np.ones((3, 3)))
    with pytest.raises(ValueError, match="finite"):
        Affine(np.diag([np.nan, 1.0, 1.0]))
    with pytest.raises(ValueError, match="DenseField: expected"):
        DenseField(np.zeros((4, 5, 3)), np.eye(4))
