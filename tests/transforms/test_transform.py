"""A Transform is what ITK makes of the same matrices and splines."""

import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
from itk_judge import (
    FIXED,
    MOVING,
    SHAPES,
    grid_of,
    itk_map,
    random_frame,
    random_image,
    random_parameters,
    sitk_image,
)

from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.transforms import Affine, BSpline, DenseField, Transform

CASES = [(ndim, count) for ndim in (2, 3) for count in (0, 1, 2, 3)]


@pytest.mark.parametrize(("ndim", "num_splines"), CASES)
def test_itk_maps_points_to_the_same_points(rng, ndim, num_splines):
    """In the grid and far beyond the lattice, where the splines end."""
    parameters = random_parameters(rng, ndim, num_splines)
    transform = parameters.ours()
    voxels = rng.uniform(-1.5, 2.5, (500, ndim)) * parameters.grid.shape
    affine = parameters.grid.affine
    points = voxels @ affine[:-1, :-1].T + affine[:-1, -1]
    mapped = transform.map_points(points)
    np.testing.assert_allclose(mapped, itk_map(parameters.itk(), points), atol=1e-6)
    plain = Transform(transform.components[num_splines:])
    moved = np.linalg.norm(mapped - plain.map_points(points), axis=1)
    assert (moved == 0).any()
    assert (moved > 0.5).any() == (num_splines > 0)


@pytest.mark.parametrize(("ndim", "num_splines"), CASES)
def test_the_affine_part_is_what_is_left_without_splines(rng, ndim, num_splines):
    """In their order: matrices don't commute."""
    parameters = random_parameters(rng, ndim, num_splines)
    affines = Transform(parameters.ours().components[num_splines:])
    points = rng.normal(0, 50, (20, ndim))
    matrix = parameters.ours().affine_part
    np.testing.assert_allclose(
        points @ matrix[:-1, :-1].T + matrix[:-1, -1], affines.map_points(points)
    )
    np.testing.assert_array_equal(matrix[-1], np.eye(ndim + 1)[-1])


def _references(rng, grid):
    """Grids that lie along the working grid in some order, and one that doesn't."""
    ndim = len(grid.shape)
    centre = grid.affine @ [*((np.asarray(grid.shape) - 1) / 2), 1]
    shape = FIXED[ndim]
    directions = grid.affine[:-1, :-1] / grid.spacing
    orders = {2: [(0, 1), (1, 0)], 3: [(0, 1, 2), (1, 2, 0), (2, 0, 1), (0, 2, 1)]}
    for order in orders[ndim]:
        affine = np.eye(ndim + 1)
        signs = rng.choice([-1, 1], ndim)
        affine[:-1, :-1] = directions[:, order] * signs * rng.uniform(1, 2, ndim)
        offset = affine[:-1, :-1] @ ((np.asarray(shape) - 1) / 2)
        affine[:-1, -1] = centre[:-1] - offset + 0.3
        yield Image(np.zeros(shape), affine)
    affine = random_frame(rng, rng.uniform(1, 2, ndim), centre[:-1], shape)
    yield Image(np.zeros(shape), affine)


@pytest.mark.parametrize(("ndim", "num_splines"), CASES)
def test_displacement_is_where_points_go(rng, monkeypatch, ndim, num_splines):
    monkeypatch.setattr("dlir_tf.transforms.slabs._SLAB_VOXELS", 300)  # several
    parameters = random_parameters(rng, ndim, num_splines)
    transform = parameters.ours()
    for reference in _references(rng, parameters.grid):
        points = grid_of(reference)
        mapped = transform.map_points(points.reshape(-1, ndim)).reshape(points.shape)
        field = transform.displacement(reference)
        assert field.dtype == np.float32
        np.testing.assert_allclose(field, mapped - points, atol=1e-5)


def test_a_grid_along_the_working_grid_needs_no_evaluation_by_points(rng, monkeypatch):
    parameters = random_parameters(rng, 3, 1)
    transform = parameters.ours()
    *aligned, oblique = _references(rng, parameters.grid)

    def refuse(*_):
        raise RuntimeError

    monkeypatch.setattr(BSpline, "map_points", refuse)
    for reference in aligned:
        assert np.abs(transform.displacement(reference)).max() > 1
    with pytest.raises(RuntimeError):
        transform.displacement(oblique)


@pytest.mark.parametrize("interpolation", ["linear", "nearest", "cubic"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_itk_resamples_to_the_samerandom_image(rng, ndim, interpolation):
    parameters = random_parameters(rng, ndim, 3)
    transform = parameters.ours()
    kinds = {
        "linear": sitk.sitkLinear,
        "nearest": sitk.sitkNearestNeighbor,
        "cubic": sitk.sitkBSpline,
    }
    for reference in _references(rng, parameters.grid):
        centre = transform.map_points(grid_of(reference).reshape(-1, ndim)).mean(0)
        frame = random_frame(rng, rng.uniform(0.8, 1.6, ndim), centre, MOVING[ndim])
        moving = random_image(rng, MOVING[ndim], frame)
        expected = sitk.Resample(
            sitk_image(moving),
            sitk_image(reference),
            parameters.itk(),
            kinds[interpolation],
            -20.0,
        )
        resampled = transform.resample(
            moving, reference, interpolation=interpolation, fill_value=-20
        )
        assert resampled.array.dtype == np.float32
        array = sitk.GetArrayFromImage(expected).T
        outside = array == -20
        assert 0 < outside.mean() < 0.9
        np.testing.assert_array_equal(resampled.array == -20, outside)
        np.testing.assert_allclose(resampled.array, array, atol=0.02)


def _plain(ndim):
    return Transform((Affine(np.eye(ndim + 1)),))


def _shifted(image, voxels):
    affine = image.affine.copy()
    affine[:-1, -1] += affine[:-1, :-1] @ voxels
    return Image(image.array, affine, image.header)


@pytest.mark.parametrize("interpolation", ["linear", "nearest"])
@pytest.mark.parametrize("dtype", ["u1", "i1", ">i2", "u2", "i4", "i8", "f2", ">f4"])
def test_the_identity_gives_every_voxel_back(rng, dtype, interpolation):
    shape = (7, 5, 4)
    affine = random_frame(rng, (1.7, 0.6, 5.3), np.array([-120.3, 88.1, 40.7]), shape)
    array = rng.integers(0, 120, shape).astype(dtype)
    image = Image(array, affine)
    resampled = _plain(3).resample(
        image, image, interpolation=interpolation, fill_value=-1
    )
    assert resampled.array.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(resampled.array, array)
    np.testing.assert_array_equal(resampled.affine, affine)


def test_a_voxel_reaches_half_a_voxel_beyond_its_centre():
    """So thick slices at the end of a stack survive a small shift across them."""
    image = Image(np.full((3, 3, 3), 10.0, np.float32), np.diag([1.0, 1, 8, 1]))
    identity = _plain(3)
    for interpolation in ("linear", "nearest"):
        near = identity.resample(
            image, _shifted(image, [0, 0, -0.49]), interpolation=interpolation
        )
        assert (near.array == 10).all()
        far = identity.resample(
            image, _shifted(image, [0, 0, -0.51]), interpolation=interpolation
        )
        assert (far.array[..., 0] == 0).all()
        assert (far.array[..., 1:] == 10).all()


def test_integers_are_rounded_and_clipped_never_wrapped():
    array = np.array([[0, 255], [3, 250]], np.uint8)
    image = Image(array, np.eye(3))
    identity = _plain(2)
    half = identity.resample(image, _shifted(image, [0, 0.4]), fill_value=300.0)
    np.testing.assert_array_equal(half.array, [[102, 255], [102, 250]])
    beyond = identity.resample(
        image, _shifted(image, [0, 1]), interpolation="nearest", fill_value=-7.0
    )
    np.testing.assert_array_equal(beyond.array, [[255, 0], [250, 0]])


def test_labels_keep_their_values_and_their_type(rng):
    parameters = random_parameters(rng, 3, 3)
    transform = parameters.ours()
    affine = parameters.grid.affine.copy()
    affine[:-1, -1] += parameters.initial[:-1, -1]
    labels = rng.choice([0, 3, 517, -12], SHAPES[3]).astype(np.int16)
    moved = transform.resample(
        Image(labels, affine), Image(labels, affine), interpolation="nearest"
    )
    assert moved.array.dtype == np.int16
    assert set(np.unique(moved.array)) == {0, 3, 517, -12}
    assert not np.array_equal(moved.array, labels)


@pytest.mark.parametrize("dtype", ["i8", "u8", ">i8"])
def test_numbers_that_no_float_holds_stay_what_they_are(rng, dtype):
    """Identifiers near 2**60, which float64 holds to the next hundred or so."""
    identifiers = 2**60 + rng.integers(1, 1000, 6).astype(dtype)
    array = rng.choice(identifiers.astype(dtype), (7, 5, 4))
    image = Image(array, np.diag([1.0, 2, 3, 1]))
    moved = _plain(3).resample(
        image, _shifted(image, [1.2, 0.6, 0.49]), interpolation="nearest"
    )
    assert moved.array.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(moved.array[:-1, :-1], array[1:, 1:])
    assert (moved.array[-1] == 0).all()
    smooth = _plain(3).resample(image, image, interpolation="label")
    np.testing.assert_array_equal(smooth.array, array)


def test_a_field_at_hand_gives_the_samerandom_image(rng):
    parameters = random_parameters(rng, 3, 2)
    transform = parameters.ours()
    reference = next(_references(rng, parameters.grid))
    moving = random_image(rng, SHAPES[3], parameters.grid.affine, np.int16)
    field = transform.displacement(reference)
    np.testing.assert_array_equal(
        transform.resample(moving, reference, displacement=field).array,
        transform.resample(moving, reference).array,
    )


def test_what_does_not_fit_is_refused(rng):
    transform = random_parameters(rng, 3, 1).ours()
    image = Image(np.zeros((4, 5, 6), np.int16), np.eye(4))
    flat = Image(np.zeros((4, 5)), np.eye(3))
    with pytest.raises(ValueError, match="must be one of"):
        transform.resample(image, image, interpolation="spline")
    with pytest.raises(ValueError, match="moving: expected a 3-d image"):
        transform.resample(flat, image)
    with pytest.raises(ValueError, match="reference: expected a 3-d image"):
        transform.displacement(flat)
    with pytest.raises(ValueError, match=r"points: expected shape \(num_points, 3\)"):
        transform.map_points(np.zeros(3))
    with pytest.raises(ValueError, match="displacement: expected shape"):
        transform.resample(image, image, displacement=np.zeros((4, 5, 6)))
    with pytest.raises(ValueError, match="expected a finite number"):
        transform.resample(image, image, fill_value=np.nan)
    for number in (np.nan, np.inf):
        with pytest.raises(ValueError, match=r"finite control points.*anew"):
            BSpline(np.full((5, 5, 2), number), np.eye(3))
    with pytest.raises(InputError, match="must be finite and invertible"):
        BSpline(np.zeros((5, 5, 2)), np.diag([4.0, 0.0, 1.0]))
    with pytest.raises(InputError, match="must be finite and invertible"):
        DenseField(np.zeros((5, 5, 2)), np.diag([4.0, 0.0, 1.0]))


def test_a_grid_does_what_its_image_does(rng):
    parameters = random_parameters(rng, 3, 1)
    transform = parameters.ours()
    image = random_image(rng, (13, 15, 5), parameters.grid.affine)
    for method in (transform.displacement, transform.jacobian_determinant):
        np.testing.assert_array_equal(method(image.grid), method(image))
    moved, like = (transform.resample(image, r) for r in (image.grid, image))
    np.testing.assert_array_equal(moved.array, like.array)
    np.testing.assert_array_equal(moved.affine, image.affine)


def test_transforms_need_no_tensorflow():
    code = (
        "import sys; import dlir_tf.transforms; "
        "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
