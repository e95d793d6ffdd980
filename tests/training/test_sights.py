"""What a validation shows: the same pairs, the best and worst, all displacements."""

import numpy as np
import pytest

from dlir_tf.training.sample import Sample
from dlir_tf.training.sights import DISPLACEMENT_EDGES, JACOBIAN_EDGES, Sights, Workers

SHAPE = (12, 9, 3)
SPACING = np.array([1.0, 2.0, 5.0], np.float32)


def look_at(sights, losses):
    """Shows pairs of these losses, whose numbers are their brightness in percent."""
    for index, loss in losses.items():
        image = np.full(SHAPE, index / 100, np.float16)
        sample = Sample(image, image, np.ones(SHAPE, bool), SPACING)
        ddf = np.zeros((*SHAPE, 3), np.float32)
        ddf[..., 1] = index
        jacobian = np.full(SHAPE, 0.25 * index - 1.0)
        sights.see(index, sample, image, ddf, jacobian, {"loss": loss})
    return sights


def numbers(sights):
    """Of the pairs, by what they are called and by what is on their pictures."""
    for sight in sights:
        assert sight.plane.fixed.mean() == pytest.approx(sight.index / 100, abs=1e-3)
    return [sight.index for sight in sights]


def test_the_same_pairs_far_apart_and_the_extreme_ones():
    losses = dict(enumerate([0.5, 0.1, 0.9, 0.4, 0.3, 0.8, 0.2, 0.6, 0.7]))
    sights = look_at(Sights(9), losses)
    assert numbers(sights.shown) == [0, 4, 8]
    assert numbers(sights.best) == [1, 6]
    assert numbers(sights.worst) == [2, 5]
    again = look_at(sights.anew(), {n: -loss for n, loss in losses.items()})
    assert numbers(again.shown) == [0, 4, 8]
    assert numbers(again.best) == [2, 5]


def test_few_pairs_are_all_shown():
    sights = look_at(Sights(1), {0: 0.5})
    assert numbers(sights.shown) == numbers(sights.best) == numbers(sights.worst) == [0]
    assert numbers(look_at(Sights(2), {0: 0.5, 1: 0.4}).shown) == [0, 1]


def test_histograms_count_mm_and_determinants():
    sights = look_at(Sights(3), {0: 0.1, 2: 0.2, 60: 0.3})
    num = np.prod(SHAPE)
    assert sights.displacement.sum() == sights.jacobian.sum() == 3 * num
    (filled,) = np.nonzero(sights.displacement)
    # Two voxels of 2 mm; 60 of them reach beyond, and count in the last bin.
    np.testing.assert_array_equal(filled, [0, 40, 999])
    assert DISPLACEMENT_EDGES[40] == pytest.approx(4.0)
    (filled,) = np.nonzero(sights.jacobian)
    np.testing.assert_allclose(JACOBIAN_EDGES[filled], [-1.0, -0.5, 3.99])


def test_of_large_images_only_some_voxels_are_counted():
    image = np.zeros((128, 128, 64), np.float16)
    sample = Sample(image, image, image > 0, np.ones(3, np.float32))
    ddf = np.zeros((*image.shape, 3), np.float32)
    sights = Sights(1)
    sights.see(0, sample, image, ddf, image + 1.0, {"loss": 0.0})
    assert 50_000 < sights.jacobian.sum() < 250_000


def test_workers_put_together_what_they_have_seen():
    told = []

    class One(Workers):
        def exchange(self, data):
            told.append(data)
            return list(told)

    first = look_at(Sights(4, One(None, 0, 2)), {0: 0.5, 2: 0.1})
    second = look_at(Sights(4, One(None, 1, 2)), {1: 0.4, 3: 0.9})
    assert (numbers(first.shown), numbers(second.shown)) == ([0, 2], [1, 3])
    first.gather()
    second.gather()
    assert numbers(second.best) == [2, 1]
    assert numbers(second.worst) == [3, 0]
    assert second.best[0].row == {"loss": 0.1}
    np.testing.assert_array_equal(
        second.best[0].plane.segments, first.best[0].plane.segments
    )
    alone = look_at(Sights(4), {0: 0.5, 1: 0.4, 2: 0.1, 3: 0.9})
    np.testing.assert_array_equal(second.jacobian, alone.jacobian)
    np.testing.assert_array_equal(second.displacement, alone.displacement)
