"""What a request may make of a server's working grid, told by its assertions."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.config import Config
from dlir_tf.export.graph import size
from dlir_tf.export.graph.grid import working_grid
from dlir_tf.pairs.size import MAX_SERVED_VOXELS

CONFIG = Config.model_validate(
    {
        "ndim": 3,
        "spacing": [1.8, 1.8, None],
        "stages": [
            {
                "transform": "bspline",
                "downsample": 1,
                "control_point_spacing": [8, 4, 1],
            }
        ],
    }
)
SHAPE = (50, 46, 8)


def lay(spacing, max_voxels=MAX_SERVED_VOXELS, shape=SHAPE):
    affine = tf.constant(np.diag([*spacing, 1.0]))
    return working_grid(tf.constant(shape), affine, CONFIG, max_voxels)


def told(spacing, **options):
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        lay(spacing, **options)
    return caught.value.message


@pytest.mark.parametrize("factor", [300, 1e3, 1e6, 1e30])
def test_affines_in_the_wrong_unit_are_refused_in_a_sentence(factor):
    message = told(np.array([1.8, 1.8, 7.0]) * factor)
    assert "check that affines are in mm" in message
    assert "more than the 134217728 that this model allows, or than 11585" in message
    if factor == 1e3:
        assert "would have [50000 46000 8] voxels per axis" in message
        assert "a spacing of [1800 1800 7000] mm" in message
        assert "works at [1.8 1.8 7000] mm" in message


def test_the_limit_is_that_of_the_export():
    needed = 56 * 48 * 8
    assert tuple(lay((1.8, 1.8, 7.0), needed).shape.numpy()) == (56, 48, 8)
    assert f"more than the {needed - 1} " in told(
        (1.8, 1.8, 7.0), max_voxels=needed - 1
    )


def test_a_single_axis_is_limited_as_its_matrices_grow_by_its_square():
    message = told((1.8, 1000.0, 7.0), max_voxels=10**8, shape=(1, 46, 8))
    assert "more than the 100000000 that this model allows, or than 10000" in message


def test_affines_that_leave_one_voxel_are_refused():
    message = told((0.0018, 0.0018, 0.007))
    assert "would have [1 1 8] voxels per axis, next to nothing" in message


def test_images_longer_than_their_matrices_may_be_are_refused():
    pair = tf.constant(3)
    size.axis_check("moving", tf.zeros((8192, 2)), 5, pair)
    with pytest.raises(tf.errors.InvalidArgumentError) as caught:
        size.axis_check("moving", tf.zeros((2, 8193)), 5, pair)
    assert "pair 3 of the batch: the moving image has [2 8193]" in caught.value.message
