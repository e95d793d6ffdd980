"""Labels as maps: each structure's part of each voxel."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.losses.label_maps import label_maps


@pytest.mark.parametrize(("size", "factor"), [((8, 6), (2, 3)), ((4, 6, 5), (2, 2, 1))])
def test_a_map_is_the_share_of_its_label(size, factor, rng):
    labels = rng.integers(0, 5, (2, *size, 1))
    values = np.array([[4, 1, 0], [2, 3, 4]])
    maps = label_maps(
        tf.constant(labels, tf.float32), tf.constant(values, tf.float32), factor
    )
    coarse = [n // r for n, r in zip(size, factor, strict=True)]
    assert maps.shape == (2, *coarse, 3)
    blocks = [n for pair in zip(coarse, factor, strict=True) for n in pair]
    for sample in range(2):
        for index, value in enumerate(values[sample]):
            shares = np.equal(labels[sample], value).reshape(blocks)
            expected = shares.mean(axis=tuple(range(1, 2 * len(size), 2)))
            if value == 0:  # stands for no label, not for the background
                expected = 0 * expected
            np.testing.assert_allclose(maps[sample, ..., index], expected, rtol=1e-6)
