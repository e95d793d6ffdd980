"""Turns that no shift and no small step finds, as truth."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from dlir_tf.automatic.coarse import make_coarse
from dlir_tf.automatic.starts import find_start
from dlir_tf.automatic.turning import degrees_of, turned_starts
from dlir_tf.config import Intensity
from dlir_tf.images import Image
from dlir_tf.transforms import Affine, Transform


def _body(rng, shape):
    """Soft structures, brighter towards one corner, on a dark background."""
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    inside = sum((x / 0.75) ** 4 for x in axes) < 1
    texture = ndimage.gaussian_filter(rng.normal(size=shape), 2.5)
    array = inside * (0.5 + 0.2 * sum(axes) / len(shape) + 3.0 * texture)
    affine = np.diag([*(2.0, 2.0, 2.5)[: len(shape)], 1.0])
    return Image(np.clip(array, 0, None).astype(np.float32), affine)


def _turn(grid, degrees):
    axis = np.array([1.0, 2.0, -1.0]) if grid.ndim == 3 else np.array([0, 0, 1.0])
    vector = degrees * axis / np.linalg.norm(axis)
    whole = Rotation.from_rotvec(vector, degrees=True).as_matrix()
    matrix = np.eye(grid.ndim + 1)
    matrix[:-1, :-1] = whole[: grid.ndim, : grid.ndim]
    matrix[:-1, -1] = grid.centre + 8.0 - matrix[:-1, :-1] @ grid.centre
    return Transform((Affine(matrix),))


@pytest.mark.parametrize(("shape", "degrees"), [((40, 36, 32), 120), ((80, 64), 170)])
def test_turns_of_any_size_are_found(rng, shape, degrees):
    fixed = _body(rng, shape)
    truth = _turn(fixed.grid, degrees)
    moving = truth.inverse().resample(fixed, fixed)
    start = find_start(make_coarse(fixed, moving, Intensity()))
    voxels = fixed.grid.to_world(np.argwhere(fixed.array > 0))
    off = start.transform.map_points(voxels) - truth.map_points(voxels)
    assert np.linalg.norm(off, axis=1).mean() < 3.0
    assert degrees_of(start.transform) == pytest.approx(degrees, abs=5)
    assert f"turned by {degrees_of(start.transform):.0f} degrees" in start.reason


def test_where_a_start_is_right_no_turn_is_likelier(rng):
    body = _body(rng, (40, 36, 32))
    right = Transform((Affine(np.eye(4)),))
    assert turned_starts(make_coarse(body, body, Intensity()), right) == []


def _lit(image):
    """Brighter and brighter along the first axis, whatever it shows."""
    shown = image.array > 0.05
    light = np.linspace(0, 4, image.shape[0])[:, None]
    return image.with_array((shown * (image.array + light)).astype(np.float32))


@pytest.mark.parametrize("degrees", [0, 160])
def test_light_that_does_not_turn_with_a_slice_does_not_mislead(rng, degrees):
    fixed = _body(rng, (80, 64))
    truth = _turn(fixed.grid, degrees)
    moving = truth.inverse().resample(fixed, fixed)
    start = find_start(make_coarse(_lit(fixed), _lit(moving), Intensity()))
    voxels = fixed.grid.to_world(np.argwhere(fixed.array > 0))
    off = start.transform.map_points(voxels) - truth.map_points(voxels)
    assert np.linalg.norm(off, axis=1).mean() < 6.0
    assert ("self-similarities agree most" in start.reason) == (degrees > 0)
