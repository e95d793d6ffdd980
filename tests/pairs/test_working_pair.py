"""A working pair takes labels and landmarks along, and knows the way back."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from dlir_tf.config import Config
from dlir_tf.images import Image
from dlir_tf.pairs.preprocessing import prepare_pair

# World places of the fixed and the moving image, in mm: only "centers" joins them.
ORIGINS = {"fixed": (-9.0, 4.0, 30.0), "moving": (61.0, -50.0, 36.0)}


def _affine(ndim, side, upright=False):
    """Oblique, flipped along one axis; `upright` is a coronal plane."""
    angle = 0.3 if side == "fixed" else 0.25
    turn = np.eye(3)
    turn[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([1.3, -0.8, 4.0])
    if upright:
        affine = np.array([[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1.0]])
        affine = affine @ np.diag([1.3, -0.8, 4.0, 1.0])
    affine[:3, 3] = ORIGINS[side]
    return affine if ndim == 3 else affine[np.ix_([0, 1, 3], [0, 1, 3])]


@pytest.fixture(params=["2d", "3d", "slices"])
def images(request, rng):
    kind = request.param
    shapes = {"fixed": (23, 26, 7), "moving": (25, 22, 6)}
    made = {}
    for side, shape in shapes.items():
        shape = {"2d": shape[:2], "3d": shape, "slices": (*shape[:2], 1)}[kind]
        array = ndimage.gaussian_filter(rng.normal(size=shape), 1).astype(np.float32)
        made[side] = Image(array, _affine(len(shape), side, kind == "slices"))
    return made["fixed"], made["moving"]


def _prepared(images):
    ndim = 3 if images[0].shape[-1] == 7 else 2
    stage = {"transform": "bspline", "downsample": 1}
    config = Config.model_validate(
        {
            "ndim": ndim,
            "spacing": [None] * ndim,
            "initial_alignment": "centers",
            "stages": [{**stage, "control_point_spacing": [8, 4, 1][:ndim]}],
        }
    )
    return prepare_pair(*images, config)


def _voxel_points(image, rng):
    """World points of voxels of an image, and which these are."""
    low = [min(3, size - 1) for size in image.shape]
    high = [max(4, size - 4) for size in image.shape]
    high = np.minimum(high, image.shape)
    indices = rng.integers(low, high, (6, image.ndim))
    return image.grid.to_world(indices), indices


@pytest.mark.parametrize("axis", [0, 1])
def test_landmarks_and_labels_come_to_lie_on_each_other(images, rng, axis):
    """Labels number the voxels along an axis; the grid is turned against it."""
    labels = [
        image.with_array(np.indices(image.shape)[axis].astype(np.int16) + 100)
        for image in images
    ]
    points, indices = zip(*(_voxel_points(image, rng) for image in images), strict=True)
    pair = _prepared(images)
    on_grid = pair.labels_on_grid(tuple(labels))
    voxels = pair.points_in_voxels(points)
    for array, found, own in zip(on_grid, voxels, indices, strict=True):
        assert array.shape == pair.grid.shape
        assert array.dtype == np.int16
        there = array[tuple(np.rint(found).astype(int).T)]
        assert np.abs(there - 100 - own[:, axis]).max() <= 1


def test_the_way_back_does_in_the_world_what_was_found_in_voxels(images, rng):
    """A point of the fixed image, and where it goes, both seen from the grid."""
    pair = _prepared(images)
    ndim = len(pair.grid.shape)
    matrix = np.eye(ndim, ndim + 1) + 0.05 * rng.normal(size=(ndim, ndim + 1))
    shift = 0.7 * np.arange(1, ndim + 1)
    lattice = [n // s + 4 for n, s in zip(pair.grid.shape, (8, 4, 1), strict=False)]
    spline = np.broadcast_to(shift, (*lattice, ndim)), (8, 4, 1)[:ndim]
    points, _ = _voxel_points(images[0], rng)
    for splines, moved_by in ([], 0.0), ([spline], shift):
        transform = pair.to_world(matrix, splines)
        assert transform.ndim == images[0].ndim
        mapped = transform.map_points(points)
        before, after = pair.points_in_voxels((points, mapped))
        expected = (before + moved_by) @ matrix[:, :-1].T + matrix[:, -1]
        np.testing.assert_allclose(after, expected, atol=1e-6)
        if images[0].ndim > ndim:  # from slice to slice
            across = images[1].grid.to_voxels(mapped)[:, -1]
            np.testing.assert_allclose(across, 0, atol=1e-6)


def test_a_matrix_comes_from_the_world_as_it_went_there(images, rng):
    pair = _prepared(images)
    ndim = len(pair.grid.shape)
    matrix = np.eye(ndim, ndim + 1) + 0.05 * rng.normal(size=(ndim, ndim + 1))
    if pair.plane is not None:
        pair = replace(pair, plane=None)  # as a server sees them, laid out
    world = pair.to_world(matrix).affine_part
    assert np.abs(world - np.eye(ndim + 1)).max() > 10  # the way between the centres
    np.testing.assert_allclose(pair.from_world(world), matrix, atol=1e-9)


def test_the_alignment_alone_lays_centre_on_centre(images):
    fixed, moving = images
    centre = _prepared(images).alignment.map_points(fixed.grid.centre[None])[0]
    np.testing.assert_allclose(centre, moving.grid.centre, atol=1e-6)
