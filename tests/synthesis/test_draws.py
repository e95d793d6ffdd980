"""Random numbers from a hash: what they must be like, and that they can be repeated."""

import numpy as np
import pytest
from keras import ops

from dlir_tf.compute.compilation import compiled_graph
from dlir_tf.synthesis.draws import Draws


def numbers(tensor):
    return ops.convert_to_numpy(tensor)


def test_uniform_numbers_fill_their_range_evenly():
    values = numbers(Draws((5, 7)).uniform((40000,), -1.0, 3.0))
    assert values.min() >= -1.0
    assert values.max() < 3.0
    counts, _ = np.histogram(values, bins=16, range=(-1, 3))
    # Six standard deviations of a count.
    assert np.abs(counts - 2500).max() < 6 * np.sqrt(2500)
    assert abs(np.corrcoef(values[:-1], values[1:])[0, 1]) < 0.03


def test_normal_numbers_have_mean_0_and_variance_1():
    values = numbers(Draws((5, 8)).normal((40000,)))
    assert np.isfinite(values).all()
    assert abs(values.mean()) < 0.03
    assert abs(values.std() - 1) < 0.03
    assert abs(np.mean(np.abs(values) < 1) - 0.6827) < 0.02


@pytest.mark.parametrize("other", [(1, 3), (2, 2), (2, 1), (0, 2)])
def test_streams_and_seeds_have_nothing_to_do_with_each_other(other):
    draws = Draws((1, 2))
    first, second = (numbers(draws.uniform((5000,))) for _ in range(2))
    another = numbers(Draws(other).uniform((5000,)))
    for values in (second, another):
        assert abs(np.corrcoef(first, values)[0, 1]) < 0.06


def test_a_seed_that_is_known_at_run_time_gives_the_same_numbers():
    def draw(seed):
        draws = Draws(seed)
        return draws.uniform((9,)), draws.normal((9,)), draws.seed()

    seed = np.array([2**31 - 1, 12], np.int32)
    compiled = compiled_graph(draw)(ops.convert_to_tensor(seed))
    for expected, found in zip(draw(seed), compiled, strict=True):
        np.testing.assert_array_equal(numbers(found), numbers(expected))


def test_things_happen_as_often_as_is_said():
    assert abs(numbers(Draws((3, 3)).happens((20000,), 0.3)).mean() - 0.3) < 0.02
