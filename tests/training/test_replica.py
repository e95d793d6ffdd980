"""Random numbers of a batch don't depend on how many devices share it."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.training.replica import Replica


@pytest.mark.parametrize("kind", ["uniform", "normal"])
@pytest.mark.parametrize("rows", [1, 2])
def test_parts_of_a_batch_are_those_of_the_whole(kind, rows):
    whole = getattr(Replica(), kind)((6, 5, 3), (3, 4)).numpy()

    @tf.function
    def part(index, image):
        drawn = getattr(Replica(index, 6 // rows), kind)(tf.shape(image), (3, 4))
        assert drawn.shape == (rows, 5, 3)
        return drawn

    image = np.zeros((rows, 5, 3))
    parts = [part(tf.constant(index), image).numpy() for index in range(6 // rows)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert np.unique(whole).size == whole.size


def test_ranges():
    drawn = Replica(1, 2).uniform((50, 2), (1, 2), -3.0, -1.0).numpy()
    assert -3 <= drawn.min() < -2.9
    assert -1.1 < drawn.max() < -1
