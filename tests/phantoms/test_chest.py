"""The generated chest: what a CT of one shows is there, in its place."""

import numpy as np
import pytest

from dlir_tf.phantoms import chest_ct
from dlir_tf.phantoms.vessels import random_tree


@pytest.fixture(scope="module")
def chest():
    return chest_ct(1)


def test_grid_is_as_asked():
    image, mask = chest_ct(4, shape=(31, 25, 22), spacing=(9.0, 8.0, 11.0))
    assert image.shape == mask.shape == (31, 25, 22)
    assert image.spacing == pytest.approx((9.0, 8.0, 11.0))
    np.testing.assert_allclose(image.grid.centre, 0, atol=1e-9)


def test_densities_are_those_of_a_chest(chest):
    image, mask = chest
    lungs = image.array[mask.array > 0]
    assert -880 < np.median(lungs) < -800
    assert (lungs > -100).mean() > 0.01  # vessels
    litres = mask.array.sum() * np.prod(image.spacing) / 1e6
    assert 3 < litres < 8
    assert (image.array > 250).mean() > 0.01  # bones
    assert abs(np.median(image.array[:, :, 8][image.array[:, :, 8] > -200]) - 60) < 30


def test_there_are_two_lungs_above_the_diaphragm(chest):
    image, mask = chest
    x, y, z = np.moveaxis(image.grid.points(), -1, 0)
    for side in (x > 20, x < -20):
        assert (mask.array > 0)[side].mean() > 0.1
    assert not mask.array[z < -140].any()
    assert not mask.array[z > 136].any()
    heart = image.array[(abs(x + 25) < 8) & (abs(y - 25) < 8) & (abs(z + 60) < 8)]
    assert np.median(heart) > 0


def test_subjects_differ_and_a_seed_is_one_of_them():
    small = {"shape": (37, 28, 27), "spacing": (9.5, 9.2, 11.0)}
    first, again, other = (chest_ct(seed, **small)[0].array for seed in (7, 7, 8))
    np.testing.assert_array_equal(first, again)
    assert (first != other).mean() > 0.3


def test_vessels_reach_all_parts_and_become_thinner():
    rng = np.random.default_rng(0)
    ends = rng.uniform(-50, 50, (200, 3))
    tubes = list(random_tree(rng, np.zeros(3), ends, 6.0))
    reached = np.stack([end for _, end, _ in tubes])
    apart = np.linalg.norm(ends[:, None] - reached[None], axis=-1).min(axis=1)
    assert apart.mean() < 8
    radii = [radius for _, _, radius in tubes]
    assert max(radii) == radii[0] == 6.0
    assert min(radii) < 1.2
