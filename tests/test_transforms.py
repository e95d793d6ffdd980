"""A Transform is what ITK makes of the same matrices and splines."""

import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from dlir_tf.images import Image, flip_ras_lps
from dlir_tf.splines import Spline
from dlir_tf.transforms import Transform
from dlir_tf.working_grid import WorkingGrid

# Shapes of working grids, voxel sizes, and the splines' spacings, coarse to fine.
SHAPES = {2: (24, 16), 3: (16, 24, 6)}
SPACINGS = {2: (1.3, 0.7), 3: (1.5, 1.1, 6.0)}
STEPS = {2: ((8, 8), (4, 2), (1, 2)), 3: ((8, 8, 1), (4, 8, 2), (2, 4, 1))}
FIXED = {2: (21, 15), 3: (13, 19, 7)}
MOVING = {2: (19, 25), 3: (17, 15, 9)}


def _frame(rng, spacing, centre, shape):
    """An oblique frame, mirrored half of the time, with its centre at a place."""
    ndim = len(spacing)
    turn, _ = np.linalg.qr(rng.normal(size=(ndim, ndim)))
    affine = np.eye(ndim + 1)
    affine[:-1, :-1] = turn * spacing
    affine[:-1, -1] = centre - affine[:-1, :-1] @ ((np.asarray(shape) - 1) / 2)
    return affine


def _transform(rng, ndim, num_splines):
    shape, spacing = SHAPES[ndim], SPACINGS[ndim]
    grid = WorkingGrid(shape, _frame(rng, spacing, 20.0 * np.arange(ndim), shape))
    initial = np.eye(ndim + 1)
    initial[:-1, -1] = rng.uniform(3, 9, ndim)
    matrix = np.eye(ndim, ndim + 1) + 0.08 * rng.normal(size=(ndim, ndim + 1))
    splines = tuple(
        Spline(
            rng.normal(
                size=(*(n // s + 4 for n, s in zip(shape, steps, strict=True)), ndim)
            ),
            steps,
        )
        for steps in STEPS[ndim][:num_splines]
    )
    return Transform(grid, initial, matrix, splines)


def _image(rng, shape, affine, dtype=np.float32):
    array = ndimage.gaussian_filter(rng.normal(size=shape), 1.0)
    array = 100 * (array - array.min()) / np.ptp(array)
    return Image(array.astype(dtype), affine)


def _flip(matrix):
    """A world-to-world or voxel-to-world matrix as ITK has it, LPS."""
    return np.vstack([flip_ras_lps(matrix[:-1].T).T, matrix[-1:]])


def _sitk_affine(matrix):
    ndim = len(matrix) - 1
    signs = np.diag([*np.array([-1.0, -1.0, 1.0])[:ndim], 1.0])
    flipped = signs @ matrix @ signs
    transform = sitk.AffineTransform(ndim)
    transform.SetMatrix(flipped[:-1, :-1].ravel())
    transform.SetTranslation(flipped[:-1, -1])
    return transform


def _sitk_spline(spline, grid):
    ndim = len(spline.spacing)
    steps, lps = np.asarray(spline.spacing), _flip(grid.affine)
    first = lps[:-1, :-1] @ ((steps - 1) / 2 - 2 * steps) + lps[:-1, -1]
    lattice = spline.control_points.shape[:-1]
    transform = sitk.BSplineTransform(ndim, 3)
    transform.SetFixedParameters(
        [
            *map(float, lattice),
            *first,
            *(steps * grid.spacing),
            *(lps[:-1, :-1] / grid.spacing).ravel(),
        ]
    )
    coefficients = spline.control_points @ lps[:-1, :-1].T
    transform.SetParameters(
        np.concatenate([coefficients[..., a].ravel(order="F") for a in range(ndim)])
    )
    return transform


def _sitk_transform(transform):
    """Filled in the order initial, affine, u_1 ... u_K: the last acts first."""
    grid = transform.grid.affine
    matrix = np.vstack([transform.matrix, np.eye(transform.ndim + 1)[-1:]])
    composite = sitk.CompositeTransform(transform.ndim)
    composite.AddTransform(_sitk_affine(transform.initial))
    composite.AddTransform(_sitk_affine(grid @ matrix @ np.linalg.inv(grid)))
    for spline in transform.splines:
        composite.AddTransform(_sitk_spline(spline, transform.grid))
    return composite


def _sitk_image(image):
    converted = sitk.GetImageFromArray(image.array.T)
    lps, spacing = _flip(image.affine), image.spacing
    converted.SetSpacing(spacing)
    converted.SetOrigin(lps[:-1, -1])
    converted.SetDirection((lps[:-1, :-1] / spacing).ravel())
    return converted


def _grid_points(image):
    voxels = np.moveaxis(np.indices(image.shape), 0, -1)
    return voxels @ image.affine[:-1, :-1].T + image.affine[:-1, -1]


CASES = [(ndim, count) for ndim in (2, 3) for count in (0, 1, 2, 3)]


@pytest.mark.parametrize(("ndim", "num_splines"), CASES)
def test_itk_maps_points_to_the_same_points(rng, ndim, num_splines):
    """In the grid and far beyond the lattice, where the splines end."""
    transform = _transform(rng, ndim, num_splines)
    reference = _sitk_transform(transform)
    voxels = rng.uniform(-1.5, 2.5, (500, ndim)) * transform.grid.shape
    affine = transform.grid.affine
    points = voxels @ affine[:-1, :-1].T + affine[:-1, -1]
    expected = [reference.TransformPoint(point) for point in flip_ras_lps(points)]
    mapped = transform.map_points(points)
    np.testing.assert_allclose(mapped, flip_ras_lps(np.array(expected)), atol=1e-6)
    plain = Transform(transform.grid, transform.initial, transform.matrix, ())
    moved = np.linalg.norm(mapped - plain.map_points(points), axis=1)
    assert (moved == 0).any()
    assert (moved > 0.5).any() == (num_splines > 0)


def _references(rng, transform):
    """Grids that lie along the working grid in some order, and one that doesn't."""
    ndim, grid = transform.ndim, transform.grid
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
    affine = _frame(rng, rng.uniform(1, 2, ndim), centre[:-1], shape)
    yield Image(np.zeros(shape), affine)


@pytest.mark.parametrize(("ndim", "num_splines"), CASES)
def test_displacement_is_where_points_go(rng, monkeypatch, ndim, num_splines):
    monkeypatch.setattr("dlir_tf.resampling._SLAB_VOXELS", 300)  # several slabs
    transform = _transform(rng, ndim, num_splines)
    for reference in _references(rng, transform):
        points = _grid_points(reference)
        mapped = transform.map_points(points.reshape(-1, ndim)).reshape(points.shape)
        field = transform.displacement(reference)
        assert field.dtype == np.float32
        np.testing.assert_allclose(field, mapped - points, atol=1e-5)


def test_a_grid_along_the_working_grid_needs_no_evaluation_by_points(rng, monkeypatch):
    transform = _transform(rng, 3, 1)
    *aligned, oblique = _references(rng, transform)

    def refuse(*_):
        raise RuntimeError

    monkeypatch.setattr(Spline, "at_points", refuse)
    for reference in aligned:
        assert np.abs(transform.displacement(reference)).max() > 1
    with pytest.raises(RuntimeError):
        transform.displacement(oblique)


@pytest.mark.parametrize("interpolation", ["linear", "nearest"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_itk_resamples_to_the_same_image(rng, ndim, interpolation):
    transform = _transform(rng, ndim, 3)
    kinds = {"linear": sitk.sitkLinear, "nearest": sitk.sitkNearestNeighbor}
    for reference in _references(rng, transform):
        centre = transform.map_points(_grid_points(reference).reshape(-1, ndim)).mean(0)
        frame = _frame(rng, rng.uniform(0.8, 1.6, ndim), centre, MOVING[ndim])
        moving = _image(rng, MOVING[ndim], frame)
        expected = sitk.Resample(
            _sitk_image(moving),
            _sitk_image(reference),
            _sitk_transform(transform),
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


def _plain(shape, affine):
    ndim = len(shape)
    grid = WorkingGrid(shape, affine)
    return Transform(grid, np.eye(ndim + 1), np.eye(ndim, ndim + 1), ())


def _shifted(image, voxels):
    affine = image.affine.copy()
    affine[:-1, -1] += affine[:-1, :-1] @ voxels
    return Image(image.array, affine, image.header)


@pytest.mark.parametrize("interpolation", ["linear", "nearest"])
@pytest.mark.parametrize("dtype", ["u1", "i1", ">i2", "u2", "i4", "i8", "f2", ">f4"])
def test_the_identity_gives_every_voxel_back(rng, dtype, interpolation):
    shape = (7, 5, 4)
    affine = _frame(rng, (1.7, 0.6, 5.3), np.array([-120.3, 88.1, 40.7]), shape)
    array = rng.integers(0, 120, shape).astype(dtype)
    image = Image(array, affine)
    resampled = _plain(shape, affine).resample(
        image, image, interpolation=interpolation, fill_value=-1
    )
    assert resampled.array.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(resampled.array, array)
    np.testing.assert_array_equal(resampled.affine, affine)


def test_a_voxel_reaches_half_a_voxel_beyond_its_centre():
    """So thick slices at the end of a stack survive a small shift across them."""
    image = Image(np.full((3, 3, 3), 10.0, np.float32), np.diag([1.0, 1, 8, 1]))
    identity = _plain((3, 3, 3), image.affine)
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
    identity = _plain((2, 2), np.eye(3))
    half = identity.resample(image, _shifted(image, [0, 0.4]), fill_value=300.0)
    np.testing.assert_array_equal(half.array, [[102, 255], [102, 250]])
    beyond = identity.resample(
        image, _shifted(image, [0, 1]), interpolation="nearest", fill_value=-7.0
    )
    np.testing.assert_array_equal(beyond.array, [[255, 0], [250, 0]])


def test_labels_keep_their_values_and_their_type(rng):
    transform = _transform(rng, 3, 3)
    affine = transform.grid.affine.copy()
    affine[:-1, -1] += transform.initial[:-1, -1]
    labels = rng.choice([0, 3, 517, -12], SHAPES[3]).astype(np.int16)
    moved = transform.resample(
        Image(labels, affine), Image(labels, affine), interpolation="nearest"
    )
    assert moved.array.dtype == np.int16
    assert set(np.unique(moved.array)) == {0, 3, 517, -12}
    assert not np.array_equal(moved.array, labels)


def test_a_field_at_hand_gives_the_same_image(rng):
    transform = _transform(rng, 3, 2)
    reference = next(_references(rng, transform))
    moving = _image(rng, SHAPES[3], transform.grid.affine, np.int16)
    field = transform.displacement(reference)
    np.testing.assert_array_equal(
        transform.resample(moving, reference, displacement=field).array,
        transform.resample(moving, reference).array,
    )


def test_what_does_not_fit_is_refused(rng):
    transform = _transform(rng, 3, 1)
    image = Image(np.zeros((4, 5, 6), np.int16), np.eye(4))
    flat = Image(np.zeros((4, 5)), np.eye(3))
    with pytest.raises(ValueError, match="must be one of"):
        transform.resample(image, image, interpolation="cubic")
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


def test_transforms_need_no_tensorflow():
    code = (
        "import sys; import dlir_tf.transforms; "
        "sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
