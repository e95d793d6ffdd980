"""Splines in the graph against those of `dlir_tf.transforms`."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.export.graph import splines
from dlir_tf.export.graph.blocks import Block
from dlir_tf.export.graph.grid import WorkingGrid
from dlir_tf.transforms.bspline import stage_bspline

CASES = {2: ((9, 7), (4, 2)), 3: ((6, 9, 7), (8, 4, 1))}


def stage(ndim, rng):
    """A stage both ways; the fixed image's axes are permuted, flipped and finer."""
    lattice, spacing = CASES[ndim]
    points = rng.normal(size=(*lattice, ndim)).astype(np.float32)
    axes = np.roll(np.arange(ndim), 1)
    to_working = np.eye(ndim + 1)
    to_working[:-1, :-1] = 0
    to_working[np.arange(ndim), axes] = np.array([-0.7, 0.9, 1.3])[:ndim]
    size = (np.array(lattice) - 4) * spacing
    to_working[:-1, -1] = np.where(np.arange(ndim) == 0, size[0] - 0.8, 0.3)
    # A world in which voxels of the fixed image have their own coordinates.
    grid_affine = np.linalg.inv(to_working)
    grid = WorkingGrid(
        tf.constant(size, tf.int32),
        tf.constant(grid_affine),
        tf.constant(axes, tf.int32),
    )
    found = splines.stage_spline(
        tf.constant(points), spacing, grid, tf.constant(to_working)
    )
    return found, stage_bspline(points, spacing, grid_affine)


@pytest.mark.parametrize("ndim", [2, 3])
def test_spline_on_voxels(ndim, rng):
    """Also where the block leaves the lattice."""
    found, expected = stage(ndim, rng)
    start = np.array([2, -3, 1])[:ndim]
    shape = (5, 44) if ndim == 2 else (5, 22, 6)
    block = Block(tf.constant(start, tf.int32), tf.constant(shape, tf.int32))
    voxels = (np.moveaxis(np.indices(shape), 0, -1) + start).reshape(-1, ndim)
    field = expected.map_points(voxels.astype(np.float64)) - voxels
    assert 0.1 < np.mean(field == 0) < 0.9
    np.testing.assert_allclose(
        np.transpose(splines.on_block(found, block)), field, atol=1e-5
    )


@pytest.mark.parametrize("ndim", [2, 3])
def test_spline_and_its_derivatives_at_points(ndim, rng):
    found, expected = stage(ndim, rng)
    points = rng.uniform(-8, 30, (500, ndim)).astype(np.float32)
    given = tf.constant(points.T)
    field = expected.map_points(points.astype(np.float64)) - points
    assert 0.1 < np.mean(field == 0) < 0.95
    np.testing.assert_allclose(splines.at_points(found, given), field, atol=2e-5)
    np.testing.assert_allclose(
        splines.jacobians_at(found, given),
        expected.jacobian(points.astype(np.float64)),
        atol=5e-5,
    )
