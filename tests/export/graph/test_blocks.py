"""Blocks must cover a grid once, in order."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.export.graph import blocks


@pytest.mark.parametrize("num_voxels", [1, 7, 24, 30, 1000])
@pytest.mark.parametrize("shape", [(5, 7), (3, 4, 6), (1, 9, 2), (6, 1, 1)])
def test_every_voxel_once_and_in_order(shape, num_voxels, monkeypatch):
    monkeypatch.setattr(blocks, "_BLOCK_VOXELS", num_voxels)
    sizes = []

    def compute(block):
        voxels = tf.transpose(block.voxels())
        count = tf.shape(voxels)[0]
        sizes.append(count)
        return voxels, count[None]

    ndim = len(shape)
    voxels, counts = tf.function(
        lambda: blocks.over_blocks(
            tf.constant(shape), compute, (tf.float64, tf.int32), ((ndim,), ())
        ),
        autograph=False,
    )()
    expected = np.moveaxis(np.indices(shape), 0, -1).reshape(-1, ndim)
    np.testing.assert_array_equal(voxels, expected)
    smallest = np.prod(shape[2:])
    assert max(counts) <= max(num_voxels, smallest)
