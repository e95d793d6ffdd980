"""Patches of chains that begin with affine stages."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.models.model import build_model
from dlir_tf.training.patches import AlignedPatches, batch_size_in_voxels, patch_size
from dlir_tf.training.phases import training_phases


def test_who_trains_on_what(make_config):
    largest = (32, 24)
    chain = make_config("affine bspline", patch_size=16, joint_steps=2)
    affine, spline, joint = training_phases(chain)
    assert patch_size(chain, affine) is None
    assert patch_size(chain, joint) is None
    assert patch_size(chain, spline) == (16, 16)
    assert [batch_size_in_voxels(chain, p, largest) for p in (affine, spline)] == [
        largest,
        largest,
    ]
    larger = make_config("affine bspline", patch_size=[16, 40])
    assert batch_size_in_voxels(larger, spline, largest) == (32, 40)
    alone = make_config("bspline", patch_size=16)
    assert batch_size_in_voxels(alone, training_phases(alone)[0], largest) == (16, 16)
    whole = make_config("bspline")
    assert batch_size_in_voxels(whole, training_phases(whole)[0], largest) == largest


@pytest.fixture
def batch():
    rows, columns = np.indices((32, 24), np.float32)[..., None] / 100
    return {
        "fixed": tf.constant(np.stack([rows] * 8)),
        "moving": tf.constant(np.stack([columns] * 8)),
        "mask": tf.ones((8, 32, 24, 1)),
        "spacing": tf.ones((8, 2)),
        "extent": tf.constant([[32, 20]] * 7 + [[10, 24]]),
    }


def test_the_whole_is_aligned_and_then_cut(make_config, batch):
    config = make_config("affine bspline", patch_size=16)
    network = build_model(config)
    head = network.get_layer("stage_1_affine").get_weights()
    # An eighth of the half extent along the second axis: 1.5 voxels.
    head[-1][:] = [0, 0.125, 0, 0, 0, 0]
    network.get_layer("stage_1_affine").set_weights(head)
    cut = AlignedPatches(network, config, (16, 16))
    patches = cut(batch, (1, 2))
    fixed, moving = (np.array(patches[name]) * 100 for name in ("fixed", "moving"))
    assert fixed.shape == moving.shape == patches["mask"].shape == (8, 16, 16, 1)
    starts = []
    for rows, columns in zip(fixed[..., 0], moving[..., 0], strict=True):
        first, second = rows[0, 0], columns[0, 0] - 1.5
        i, j = np.indices((16, 16))
        np.testing.assert_allclose(rows, first + i, atol=1e-3)
        # The border of the image is repeated.
        expected = np.minimum(second + 1.5 + j, 23)
        np.testing.assert_allclose(columns, expected, atol=1e-3)
        starts.append((first, second))
    starts = np.array(starts)
    np.testing.assert_allclose(starts, starts.round(), atol=1e-3)
    assert starts.min() > -1e-3
    assert starts[:7, 0].max() <= 16.001
    assert starts[:7, 1].max() <= 4.001
    assert starts[7, 0] == pytest.approx(0, abs=1e-3)
    assert len({tuple(start) for start in starts.round()}) > 3
    assert np.array_equal(cut(batch, (1, 2))["fixed"], patches["fixed"])
    assert not np.array_equal(cut(batch, (1, 3))["fixed"], patches["fixed"])
