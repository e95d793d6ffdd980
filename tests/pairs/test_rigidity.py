"""Rigid stages keep lengths in the world, whatever grids the images are on."""

import numpy as np
import pytest
import SimpleITK as sitk
from random_models import affine, random_model, spline
from scipy import ndimage
from scipy.spatial.transform import Rotation

from dlir_tf.images import Grid, Image
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.pairs.rigidity import exact_matrix, with_perpendicular_axes
from dlir_tf.registration import register
from dlir_tf.transforms.files.dispatch import write_transform

SHAPES = {2: (21, 26), 3: (19, 24, 9)}
SPACINGS = {2: (1.7, 0.9), 3: (1.7, 0.9, 4.5)}
KINDS = ["rigid", "similarity"]
WAYS = ["straight", "oblique", "flipped", "permuted", "rounded", "tilted"]


def _affine(ndim, way):
    """A voxel-to-world matrix, 70 mm from the world's origin."""
    linear = np.diag(SPACINGS[ndim])
    turn = Rotation.from_euler("xyz", [0.4, -0.3, 0.5]).as_matrix()
    if ndim == 2:
        turn = Rotation.from_euler("z", 0.4).as_matrix()[:2, :2]
    if way != "straight":
        linear = turn @ linear
    if way == "flipped":
        linear = linear * ([-1] + [1] * (ndim - 1))
    if way == "permuted":
        linear = linear[:, ::-1]
    if way == "rounded":  # as text in a header
        linear = linear.round(4)
    if way == "tilted":
        linear[:, -1] += 0.3 * linear[:, 0]
    matrix = np.eye(ndim + 1)
    matrix[:-1, :-1], matrix[:-1, -1] = linear, np.linspace(-70, 40, ndim)
    return matrix


def _pair(rng, ndim, way):
    images = []
    for _ in range(2):
        array = ndimage.gaussian_filter(rng.normal(size=SHAPES[ndim]), 1.5)
        images.append(Image(array.astype(np.float32), _affine(ndim, way)))
    return images


def _model(ndim, kind, *further, **fields):
    steps = [8, 8, 1][:ndim]
    stage = affine(steps, transform=kind, max_rotation_degrees=30.0)
    config = {"ndim": ndim, "spacing": None, "stages": [stage, stage, *further]}
    return random_model(config | fields, np.random.default_rng(5), 0.3)


@pytest.mark.parametrize("ndim", [2, 3])
def test_with_the_initial_alignment_it_is_one_motion_of_itk(rng, tmp_path, ndim):
    model = _model(ndim, "rigid", initial_alignment="mass")
    pair = _pair(rng, ndim, "oblique")
    result = register(*pair, model=model, do_no_harm=False)
    assert np.abs(result.report.initial_shift).max() > 1e-3
    write_transform(tmp_path / "t.tfm", result.transform)
    stored = sitk.ReadTransform(str(tmp_path / "t.tfm"))
    assert stored.Downcast().GetName() == f"Euler{ndim}DTransform"
    flip = np.array([-1, -1, 1])[:ndim]
    for corner in pair[0].grid.corners:
        expected = result.transform.map_points(corner[None])[0]
        found = stored.TransformPoint((corner * flip).tolist()) * flip
        np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ndim", [2, 3])
def test_a_random_model_keeps_lengths_or_angles_in_mm(rng, ndim, kind, way):
    model = _model(ndim, kind, initial_alignment="mass")
    result = register(*_pair(rng, ndim, way), model=model, do_no_harm=False)
    linear = result.transform.affine_part[:-1, :-1]
    assert np.abs(linear - np.eye(ndim)).max() > 0.02
    size = np.linalg.det(linear) ** (1 / ndim)
    np.testing.assert_allclose(linear.T @ linear, size**2 * np.eye(ndim), atol=1e-12)
    assert (abs(size - 1) < 1e-12) == (kind == "rigid")
    np.testing.assert_allclose(result.report.affine_scales, size, rtol=1e-12)
    assert result.report.stages[0].transform == kind


def test_so_does_the_part_of_it_before_splines(rng):
    model = _model(3, "rigid", spline([8, 8, 1]))
    pair = _pair(rng, 3, "oblique")
    transform = register(*pair, model=model, do_no_harm=False).transform
    assert len(transform.components) == 2
    linear = transform.affine_part[:3, :3]
    np.testing.assert_allclose(linear.T @ linear, np.eye(3), atol=1e-12)


def test_only_rounding_is_taken_away(rng):
    """Corners go where the matrix took them, to the digits of single precision."""
    model = _model(3, "rigid")
    pair = prepare_pair(*_pair(rng, 3, "oblique"), model.config)
    matrix = model.predict(pair).matrix.astype(float)
    exact = exact_matrix(matrix, pair.grid, model.config)
    corners = pair.grid.to_voxels(pair.grid.corners)
    apart = corners @ (exact - matrix)[:, :-1].T + (exact - matrix)[:, -1]
    assert 0 < np.abs(apart).max() < 1e-4
    still = np.eye(3, 4)
    assert exact_matrix(still, pair.grid, model.config) is still


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_tilted_grid_is_covered_by_the_closest_perpendicular_one(ndim):
    grid = Grid(SHAPES[ndim], _affine(ndim, "tilted"))
    upright = with_perpendicular_axes(grid)
    axes = upright.directions
    np.testing.assert_allclose(axes.T @ axes, np.eye(ndim), atol=1e-12)
    np.testing.assert_allclose(upright.spacing, grid.spacing)
    np.testing.assert_allclose(upright.centre, grid.centre, atol=1e-9)
    assert upright.contains(grid.corners).all()
    outermost = np.abs(upright.to_voxels(grid.corners)).max(axis=0)
    assert (np.asarray(upright.shape) - outermost < 2.5).all()
    straight = Grid(SHAPES[ndim], _affine(ndim, "oblique"))
    assert with_perpendicular_axes(straight) is straight
