"""Labels with smooth borders, against a truth that is known everywhere."""

import numpy as np
import pytest
from itk_judge import random_frame
from scipy.interpolate import RegularGridInterpolator
from scipy.spatial import cKDTree

from dlir_tf.images import Grid, Image
from dlir_tf.transforms import Affine, Transform


def anatomy(points):
    """Two nested, slanted organs and a tube through them, 1, 2 and 7."""
    ndim = points.shape[-1]
    about = points - np.array([3.0, -2.0, 1.0])[-ndim:]
    radius = np.sqrt(((about / np.array([28, 22, 30])[-ndim:]) ** 2).sum(-1))
    labels = np.zeros(points.shape[:-1], np.uint8)
    labels[radius < 1], labels[radius < 0.7] = 1, 2
    axis = np.array([0.5, 0.3, 0.8])[-ndim:]
    axis /= np.linalg.norm(axis)
    beside = np.linalg.norm(about - (about @ axis)[..., None] * axis, axis=-1)
    labels[(beside < 6) & (radius < 1.2)] = 7
    return labels


def grid_of(shape, spacing):
    affine = np.diag([*spacing, 1.0])
    affine[:-1, -1] = -affine[:-1, :-1] @ (np.array(shape) - 1) / 2
    return Grid(shape, affine)


def moved(labels, grid, interpolation):
    """As it comes to lie on another grid, turned by a little."""
    turn = np.eye(labels.ndim + 1)
    cosine, sine = np.cos(0.2), np.sin(0.2)
    turn[-3:-1, -3:-1] = [[cosine, -sine], [sine, cosine]]
    transform = Transform((Affine(turn),))
    result = transform.resample(labels, grid, interpolation=interpolation)
    truth = anatomy(transform.map_points(grid.points().reshape(-1, grid.ndim)))
    return result.array, truth.reshape(grid.shape)


@pytest.mark.parametrize(
    ("shape", "spacing", "least"),
    [
        ((64, 64, 8), (1.25, 1.25, 10.0), 2.0),
        ((80, 80, 10), (1.0, 1.0, 8.0), 1.7),
        ((53, 53, 16), (1.5, 1.5, 5.0), 1.6),
        ((40, 40, 40), (2.0, 2.0, 2.0), 1.2),
        ((80, 10), (1.0, 8.0), 1.5),
    ],
    ids=str,
)
def test_it_is_closer_to_the_truth_than_the_nearest_neighbour(shape, spacing, least):
    grid = grid_of(shape, spacing)
    labels = Image(anatomy(grid.points()), grid.affine)
    fine = grid_of((60, 56, 52)[-len(shape) :], (1.0,) * len(shape))
    wrong = {}
    for interpolation in ("nearest", "label"):
        found, truth = moved(labels, fine, interpolation)
        assert found.dtype == np.uint8
        assert set(np.unique(found)) == {0, 1, 2, 7}
        wrong[interpolation] = np.mean(found != truth)
    assert wrong["label"] < 0.06
    assert wrong["nearest"] > least * wrong["label"]


def test_by_the_definition(rng):
    """Distances by a search tree, interpolated by SciPy, on an oblique grid."""
    shape, spacing = (9, 8, 5), (1.0, 1.3, 3.0)
    coarse = rng.integers(0, 3, (3, 3, 2)) * 200
    array = np.kron(coarse, np.ones((3, 3, 3), int))[:9, :8, :5].astype(np.int16)
    labels = Image(array, random_frame(rng, spacing, 5, shape))
    matrix = np.eye(4)
    matrix[:3, :3] += 0.1 * rng.normal(size=(3, 3))
    centre = labels.grid.centre
    matrix[:3, 3] = centre - matrix[:3, :3] @ centre
    transform = Transform((Affine(matrix),))
    reference = labels.grid.mapped(np.linalg.inv(matrix))
    part = np.diag([0.7, 0.7, 0.5, 1])
    part[:3, 3] = -1.3
    reference = Grid((14, 13, 12), reference.affine @ part)
    found = transform.resample(labels, reference, interpolation="label", fill_value=-1)
    places = labels.grid.to_voxels(
        transform.map_points(reference.points().reshape(-1, 3))
    )
    inside = labels.grid.contains_voxels(places.T)
    places = np.clip(places, 0, np.array(shape) - 1)
    voxels = np.moveaxis(np.indices(shape), 0, -1).reshape(-1, 3) * spacing
    axes = tuple(np.arange(n, dtype=float) for n in shape)
    depths = []
    for value in (0, 200, 400):
        has = (array == value).ravel()
        depth = np.empty(has.size)
        depth[has] = cKDTree(voxels[~has]).query(voxels[has])[0]
        depth[~has] = -cKDTree(voxels[has]).query(voxels[~has])[0]
        there = RegularGridInterpolator(axes, depth.reshape(shape))(places)
        weight = RegularGridInterpolator(axes, has.reshape(shape) * 1.0)(places)
        depths.append(np.where(weight > 1e-9, there, -np.inf))
    expected = np.where(inside, np.array([0, 200, 400])[np.argmax(depths, axis=0)], -1)
    assert 0.1 < inside.mean() < 1
    different = found.array.ravel() != expected
    assert different.mean() < 0.005  # ties


def test_the_identity_keeps_every_voxel(rng):
    array = rng.integers(0, 5, (7, 6, 5)).astype(np.float32)
    labels = Image(array, random_frame(rng, (1.0, 1.3, 3.0), 5, array.shape))
    same = Transform((Affine(np.eye(4)),))
    found = same.resample(labels, labels, interpolation="label")
    np.testing.assert_array_equal(found.array, array)
    one = labels.with_array(np.full_like(array, 3))
    again = same.resample(one, labels, interpolation="label")
    np.testing.assert_array_equal(again.array, 3)


def test_grey_values_are_refused(rng):
    image = Image(rng.normal(size=(5, 6)), np.eye(3))
    with pytest.raises(ValueError, match="label is for labels, whole numbers"):
        Transform((Affine(np.eye(3)),)).resample(image, image, interpolation="label")
