"""Slices at any angle, registered in their own plane."""

import itertools

import numpy as np
import pytest
import SimpleITK as sitk
from itk_judge import grid_of, random_image, sitk_affine, sitk_image
from storage import store_otherwise

from dlir_tf.errors import InputError
from dlir_tf.images import Grid, Image, flip_ras_lps
from dlir_tf.pairs.slices import SlicePlane, common_plane, is_slice, plane_frame
from dlir_tf.pairs.working_grid import working_grid
from dlir_tf.transforms import Affine, BSpline, DenseField, Transform
from dlir_tf.transforms.bspline import stage_bspline

# Turned about the world's x, y and z, in degrees; the normal's nearest axis changes.
ANGLES = {
    "axial": (0, 0, 0),
    "oblique": (20, -30, 15),
    "coronal": (90, 0, 0),
    "sagittal": (80, 10, 95),
}


def _turn(degrees):
    turn = np.eye(4)
    for axis, angle in enumerate(np.radians(degrees)):
        one = np.eye(4)
        a, b = (axis + 1) % 3, (axis + 2) % 3
        one[[a, a, b, b], [a, b, a, b]] = (
            *(np.cos(angle), -np.sin(angle)),
            *(np.sin(angle), np.cos(angle)),
        )
        turn = one @ turn
    return turn


def _affine(spacing, origin, angle=0.0):
    affine = _turn((0, 0, angle)) @ np.diag([*spacing, 1.0])
    affine[:3, 3] = origin
    return affine


@pytest.fixture(params=ANGLES)
def pair(rng, request):
    """Slices of different grids, 6 mm apart, stored in different ways."""
    turn = _turn(ANGLES[request.param])
    fixed = random_image(rng, (23, 17, 1), turn @ _affine((1.3, 0.8, 9), (-9, 4, 30)))
    affine = _affine((1.1, 1.2, 4), (-12, -1, 36), 8.0)
    moving = random_image(rng, (21, 26, 1), turn @ affine)
    return (
        store_otherwise(fixed, (2, 0, 1), (True, False, True)),
        store_otherwise(moving, (1, 2, 0), (False, True, True)),
    )


def _plane(fixed, moving):
    return common_plane(fixed.grid, moving.grid)


def _flatten(image, frame):
    return SlicePlane(frame, np.eye(4), 1.0).flatten(image)


def _in_plane(rng, fixed):
    """What a model would have found: two splines, then an affine."""
    grid = working_grid(fixed.grid, (1.0, 1.0), (8, 8))
    splines = []
    for steps in ((4, 4), (8, 8)):
        shape = [n // s + 4 for n, s in zip(grid.shape, steps, strict=True)]
        splines.append(stage_bspline(rng.normal(size=(*shape, 2)), steps, grid.affine))
    matrix = np.eye(3)
    matrix[:2] += 0.05 * rng.normal(size=(2, 3))
    return Transform((*splines, Affine(matrix)))


def _voxels(image, points):
    return (points - image.affine[:-1, -1]) @ np.linalg.inv(image.affine[:-1, :-1]).T


def test_the_fixed_slice_goes_to_the_moving_slice_as_in_the_plane(rng, pair):
    fixed, moving = pair
    plane = _plane(fixed, moving)
    in_plane = _in_plane(rng, plane.flatten(fixed))
    points = grid_of(fixed).reshape(-1, 3)
    voxels = _voxels(moving, plane.to_world(in_plane).map_points(points))
    assert (fixed.shape, moving.shape) == ((1, 23, 17), (26, 1, 21))
    np.testing.assert_allclose(voxels[:, 1], 0, atol=1e-9)
    # The same in two dimensions: the array without its axis of length 1.
    flat_points = grid_of(plane.flatten(fixed)).reshape(-1, 2)
    flat_voxels = _voxels(plane.flatten(moving), in_plane.map_points(flat_points))
    assert np.abs(in_plane.map_points(flat_points) - flat_points).max() > 1
    np.testing.assert_allclose(voxels[:, [0, 2]], flat_voxels, atol=1e-9)
    np.testing.assert_array_equal(plane.flatten(moving).array, moving.array[:, 0])
    np.testing.assert_allclose(plane.flatten(fixed).spacing, fixed.spacing[1:])


def _itk_spline(spline):
    signs = np.diag([-1.0, -1.0, 1.0, 1.0])
    lattice = signs @ spline.lattice
    spacing = np.linalg.norm(lattice[:3, :3], axis=0)
    transform = sitk.BSplineTransform(3, 3)
    size = [float(n) for n in spline.control_points.shape[:-1]]
    direction = (lattice[:3, :3] / spacing).ravel()
    transform.SetFixedParameters([*size, *lattice[:3, 3], *spacing, *direction])
    vectors = flip_ras_lps(spline.control_points)
    transform.SetParameters(
        np.concatenate([v.ravel("F") for v in np.moveaxis(vectors, -1, 0)])
    )
    return transform


def test_itk_moves_the_slice_to_the_same_image(rng, pair):
    fixed, moving = pair
    plane = _plane(fixed, moving)
    transform = plane.to_world(_in_plane(rng, plane.flatten(fixed)))
    composite = sitk.CompositeTransform(3)
    for component in reversed(transform.components):
        composite.AddTransform(
            _itk_spline(component)
            if isinstance(component, BSpline)
            else sitk_affine(component.matrix)
        )
    by_itk = sitk.Resample(
        sitk_image(moving), sitk_image(fixed), composite, sitk.sitkLinear, -1.0
    )
    expected = sitk.GetArrayFromImage(by_itk).T
    ours = transform.resample(moving, fixed, fill_value=-1.0)
    assert (expected > -1).mean() > 0.5
    agrees = np.abs(ours.array - expected) < 1e-3 * np.ptp(moving.array)
    assert agrees.mean() > 0.99  # at the very edge, one of the two may be outside
    assert agrees[expected > -1].mean() > 0.995


def test_the_result_does_not_change_across_the_plane(rng, pair):
    fixed, moving = pair
    plane = _plane(fixed, moving)
    in_plane = _in_plane(rng, plane.flatten(fixed))
    transform = plane.to_world(in_plane)
    normal = plane.frame[:3, 2]
    points = grid_of(fixed).reshape(-1, 3)[::7]
    mapped = transform.map_points(points)
    for off in (-9.0, 4.5):  # a thickness, and the edge of the slice
        beside = transform.map_points(points + off * normal)
        apart = beside - mapped
        np.testing.assert_allclose(
            apart, np.broadcast_to(off * normal, apart.shape), atol=1e-9
        )
        assert transform.covers(points + off * normal).all()
    assert not transform.covers(points + 9.5 * normal).any()
    np.testing.assert_allclose(
        transform.jacobian_determinant(fixed)[0],
        in_plane.jacobian_determinant(plane.flatten(fixed)),
        rtol=1e-5,
    )


def test_a_small_tilt_still_samples_the_moving_slice(rng):
    fixed = random_image(
        rng, (23, 17, 1), _turn((10, 0, 0)) @ _affine((1, 1, 8), (0, 0, 0))
    )
    affine = _turn((13, 1, 0)) @ _affine((1, 1, 8), (1, 2, 5))
    moving = random_image(rng, (20, 20, 1), affine)
    plane = _plane(fixed, moving)
    transform = plane.to_world(Transform((Affine(np.eye(3)),)))
    points = grid_of(fixed).reshape(-1, 3)
    mapped = transform.map_points(points)
    np.testing.assert_allclose(_voxels(moving, mapped)[:, 2], 0, atol=1e-9)
    rise = mapped - points
    along = (rise @ plane.frame[:3, 2])[:, None] * plane.frame[:3, 2]
    np.testing.assert_allclose(rise, along, atol=1e-9)
    back = transform.inverse().map_points(grid_of(moving).reshape(-1, 3))
    np.testing.assert_allclose(_voxels(fixed, back)[:, 2], 0, atol=1e-9)


def test_planes_that_are_not_parallel_are_refused(rng):
    flat = random_image(rng, (9, 8, 1), _affine((1, 1, 5), (0, 0, 0)))
    tilted = Image(flat.array, _turn((8, 0, 0)) @ flat.affine)
    with pytest.raises(InputError, match="must be parallel, but are 8 degrees apart"):
        _plane(flat, tilted)
    upright = Image(flat.array.transpose(0, 2, 1), flat.affine)
    with pytest.raises(InputError, match="90 degrees"):
        _plane(flat, upright)


def test_the_frame_does_not_depend_on_storage(rng):
    """Nor on rounding, where two world axes are as near: 45 degrees."""
    for angles in (*ANGLES.values(), (45, 0, 0), (0, 45, 20)):
        affine = _turn(angles) @ _affine((1.3, 0.8, 9), (-9, 4, 30))
        image = random_image(rng, (5, 4, 1), affine)
        frame = plane_frame(image.grid)
        np.testing.assert_allclose(
            frame[:3, :3].T @ frame[:3, :3], np.eye(3), atol=1e-12
        )
        expected = _flatten(image, frame)
        for order in itertools.permutations(range(3)):
            stored = store_otherwise(image, order, (True, False, True))
            assert is_slice(stored.grid)
            np.testing.assert_allclose(plane_frame(stored.grid), frame, atol=1e-9)
            again = _flatten(stored, frame)
            assert sorted(again.array.ravel()) == sorted(expected.array.ravel())


def test_the_frame_runs_along_the_positive_axes_of_the_world(rng):
    for angles, axes in (
        (ANGLES["axial"], (0, 1, 2)),
        (ANGLES["coronal"], (0, 2, 1)),
        (ANGLES["sagittal"], (1, 2, 0)),
    ):
        image = random_image(
            rng, (5, 4, 1), _turn(angles) @ _affine((1, 1, 9), (0, 0, 0))
        )
        frame = plane_frame(image.grid)
        assert all(frame[axis, column] > 0.9 for column, axis in enumerate(axes))
    halfway = [
        plane_frame(
            Grid(image.shape, _turn((angle, 0, 0)) @ _affine((1, 1, 9), (0, 0, 0)))
        )
        for angle in (45 - 1e-8, 45 + 1e-8)
    ]
    np.testing.assert_allclose(*halfway, atol=1e-6)


def test_an_axial_slice_has_the_coordinates_of_the_world(rng):
    """So that 2-d files of the same scan and the slice are one to a model."""
    affine = _affine((1.3, 0.8, 9), (-9, 4, 30), 25.0)
    image = random_image(rng, (5, 4, 1), affine)
    flat = _flatten(image, plane_frame(image.grid))
    np.testing.assert_allclose(flat.affine, affine[np.ix_([0, 1, 3], [0, 1, 3])])


def test_what_moves_nothing_stays_exactly_nothing(rng):
    affine = _turn((20, -30, 15)) @ _affine((1.3, 0.8, 9), (-9, 4, 30))
    image = random_image(rng, (15, 14, 1), affine)
    transform = _plane(image, image).to_world(Transform((Affine(np.eye(3)),)))
    (component,) = transform.components
    np.testing.assert_array_equal(component.matrix, np.eye(4))


def test_a_dense_field_is_not_taken_to_the_world(rng):
    image = random_image(rng, (15, 14, 1), _affine((1, 1, 9), (0, 0, 0)))
    field = DenseField(np.zeros((4, 4, 2)), np.eye(3))
    with pytest.raises(ValueError, match="Received: DenseField"):
        _plane(image, image).to_world(Transform((field,)))
