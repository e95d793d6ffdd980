"""Grid: ITK and nibabel agree on where voxels lie; parts and averages lie in place."""

import itertools

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from nibabel.affines import apply_affine, voxel_sizes

from dlir_tf.errors import InputError
from dlir_tf.images import Grid
from dlir_tf.images.grid import corner_voxels

# Oblique, flipped, swapped and anisotropic; right-handed and left-handed.
A, B = np.cos(0.4), np.sin(0.4)
GRIDS = [
    Grid(
        (5, 7, 3),
        [
            [1.5 * A, 0.8 * B, 0, -31],
            [1.5 * B, -0.8 * A, 0, 12],
            [0, 0, 4, 70],
            [0] * 3 + [1],
        ],
    ),
    Grid(
        (4, 1, 6), [[0, 0, -2.5, 9], [0.7, 0, 0, -1.5], [0, -1.2, 0, 3], [0] * 3 + [1]]
    ),
    Grid((7, 4), [[0, -0.8, 11], [1.5, 0, -7], [0, 0, 1]]),
    Grid((3, 5), [[A, 3 * B, 2], [B, -3 * A, 1], [0, 0, 1]]),
]
SHEARED = Grid(
    (5, 3, 4), [[2, 0.5, 0, 1], [0, 1, 0.3, 2], [0, 0, 3, -4], [0] * 3 + [1]]
)


def to_itk(grid):
    """The same grid as ITK's, in LPS."""
    flip = np.diag([-1, -1, 1][: grid.ndim])
    image = sitk.Image(grid.shape, sitk.sitkUInt8)
    spacing = voxel_sizes(grid.affine)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((flip @ grid.affine[:-1, :-1] / spacing).ravel().tolist())
    image.SetOrigin((flip @ grid.affine[:-1, -1]).tolist())
    return image, flip


def some_voxels(grid, rng, num=300):
    """Voxel coordinates in and around a grid."""
    return rng.uniform(-2, np.asarray(grid.shape) + 1, (num, grid.ndim))


@pytest.mark.parametrize("grid", GRIDS)
def test_itk_agrees_on_points_voxels_and_what_is_inside(grid, rng):
    image, flip = to_itk(grid)
    voxels = some_voxels(grid, rng)
    points = np.array(
        [image.TransformContinuousIndexToPhysicalPoint(v) for v in voxels]
    )
    np.testing.assert_allclose(grid.to_world(voxels), points @ flip, atol=1e-9)
    np.testing.assert_allclose(grid.to_voxels(points @ flip), voxels, atol=1e-9)
    inside = [
        all(
            -0.5 <= x < n - 0.5
            for x, n in zip(
                image.TransformPhysicalPointToContinuousIndex(p),
                grid.shape,
                strict=True,
            )
        )
        for p in points
    ]
    assert grid.contains(points @ flip).tolist() == inside
    assert 0 < sum(inside) < len(inside)


@pytest.mark.parametrize("grid", [*GRIDS, SHEARED])
def test_nibabel_agrees_on_every_voxel(grid):
    indices = np.moveaxis(np.indices(grid.shape), 0, -1)
    np.testing.assert_allclose(
        grid.points(), apply_affine(grid.affine, indices), atol=1e-12
    )
    np.testing.assert_allclose(grid.spacing, voxel_sizes(grid.affine), rtol=1e-12)
    np.testing.assert_allclose(
        grid.directions * grid.spacing, grid.affine[:-1, :-1], atol=1e-12
    )
    np.testing.assert_allclose(
        grid.centre, grid.points().reshape(-1, grid.ndim).mean(axis=0), atol=1e-9
    )
    np.testing.assert_allclose(grid.extent, np.multiply(grid.spacing, grid.shape))


@pytest.mark.parametrize("grid", [*GRIDS, SHEARED])
def test_a_voxel_reaches_half_its_size_beyond_its_centre(grid):
    last = np.asarray(grid.shape) - 1
    for axis, end in itertools.product(range(grid.ndim), (0, 1)):
        edge = last / 2
        edge[axis] = (-0.5, last[axis] + 0.5)[end]
        step = np.eye(grid.ndim)[axis] * (-1e-4, 1e-4)[end]
        assert grid.contains(grid.to_world([edge, edge - step])).all()
        assert not grid.contains(grid.to_world(edge + step))


@pytest.mark.parametrize("grid", [*GRIDS, SHEARED])
def test_rows_lie_where_they_lay(grid):
    part = grid.rows(1, 3)
    np.testing.assert_allclose(part.points(), grid.points()[1:3], atol=1e-12)
    assert grid.rows(2, 100).shape == (grid.shape[0] - 2, *grid.shape[1:])


def test_corners_are_the_outermost_voxels():
    expected = [(0, 0, 0), (0, 0, 4), (0, 2, 0), (0, 2, 4)]
    expected += [(5, *place[1:]) for place in expected]
    np.testing.assert_array_equal(corner_voxels((6, 3, 5)), expected)
    grid = Grid((6, 3, 5), GRIDS[0].affine)
    np.testing.assert_allclose(grid.to_voxels(grid.corners), expected, atol=1e-9)


@pytest.mark.parametrize("grid", GRIDS)
def test_a_grid_goes_along_with_an_affine_map_of_the_world(grid, rng):
    matrix = np.eye(grid.ndim + 1)
    matrix[:-1] += rng.normal(0, 0.2, (grid.ndim, grid.ndim + 1))
    expected = apply_affine(matrix, grid.points())
    np.testing.assert_allclose(grid.mapped(matrix).points(), expected, atol=1e-9)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_plane_of_an_upright_slice_loses_nothing(axis):
    """Whatever axis stands on the world's first plane."""
    order = [*np.delete(np.arange(3), axis), axis]
    affine, shape = np.eye(4), np.empty(3, int)
    affine[:3, order] = [[0.4, -2.0, 0], [1.0, 0.8, 0], [0, 0, 3.0]]
    affine[:3, 3], shape[order] = (5.0, -6.0, 7.0), (4, 5, 1)
    grid = Grid(shape, affine)
    points = grid.points().take(0, axis)
    np.testing.assert_allclose(grid.plane(axis).points(), points[..., :2], atol=1e-12)
    assert np.all(points[..., 2] == 7.0)


def test_shears_are_told_from_rotations():
    assert SHEARED.is_sheared
    assert not any(grid.is_sheared for grid in GRIDS)


def test_the_same_grid_is_one_within_half_a_voxel():
    grid = GRIDS[0]  # its smallest spacing is 0.8 mm
    for shift, same in ((0.39, True), (0.41, False)):
        moved = grid.affine.copy()
        moved[2, 3] += shift
        other = Grid(grid.shape, moved)
        assert grid.same_as(other) is same
        assert grid.distance_to(other) == pytest.approx(shift)
    assert not grid.same_as(Grid((5, 7, 4), grid.affine))
    # The first voxels agree, the last ones don't.
    longer = Grid(grid.shape, grid.affine @ np.diag([1, 1, 1.1, 1]))
    assert longer.distance_to(grid) == pytest.approx(0.1 * 4 * 2)
    assert not longer.same_as(grid)


def test_nobody_can_change_a_grid():
    affine = np.diag([2.0, 3.0, 1.0])
    grid = Grid((3, 4), affine)
    affine[0, 0] = 7
    assert grid.spacing == (2.0, 3.0)
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 5


@pytest.mark.parametrize(
    "linear",
    [
        [[1, 2, 0], [2, 4, 0], [0, 0, 1]],
        [[0, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[np.nan, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0, np.inf], [0, 1, 0], [0, 0, 1]],
        [[1, 1, 0], [1, 1 + 1e-7, 0], [0, 0, 1]],
    ],
)
def test_an_affine_without_an_inverse_is_refused(linear):
    affine = np.eye(4)
    affine[:3, :3] = linear
    with pytest.raises(InputError, match="must be finite and invertible"):
        Grid((2, 3, 4), affine)


@pytest.mark.parametrize(
    ("shape", "size"),
    [((2, 3), 4), ((2, 3, 4), 3), ((2,), 2), ((2, 3, 4, 5), 5), ((2, 0), 3)],
)
def test_shape_and_affine_must_fit(shape, size):
    with pytest.raises(ValueError, match="Grid: expected a 2-d shape with a 3x3"):
        Grid(shape, np.eye(size))


def test_voxels_of_a_tenth_of_a_micron_and_of_a_metre_are_fine():
    """How much volume axes span doesn't depend on their unit."""
    for spacing in (1e-4, 1e3):
        grid = Grid((2, 2, 2), nib.affines.from_matvec(np.eye(3) * spacing))
        assert grid.spacing == pytest.approx((spacing,) * 3)
