"""What one image tells of another, where it's known."""

import numpy as np
import pytest
from scipy import ndimage

from dlir_tf.metrics.telling import told_share


def _body(rng, shape=(40, 36, 30)):
    axes = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    inside = sum((x / 0.8) ** 4 for x in axes) < 1
    texture = ndimage.gaussian_filter(rng.normal(size=shape), 2.0)
    return inside, 0.6 + 0.15 * texture / texture.std()


def test_another_contrast_is_told_and_another_body_is_not(rng):
    """Both share their outline, which counts for nothing."""
    inside, values = _body(rng)
    _, others = _body(rng)
    first, second = np.where(inside, values, 0), np.where(inside, others, 0)
    curved = np.where(inside, 0.3 + np.abs(values - 0.6), 0)
    ones = np.ones(first.shape)
    assert told_share(first, first, ones) == pytest.approx(1, abs=0.05)
    assert told_share(first, curved, ones) > 0.6
    assert told_share(first, second, ones) == pytest.approx(0, abs=0.05)
    back = told_share(curved, first, ones)
    assert back == pytest.approx(told_share(first, curved, ones))


def test_noise_tells_nothing_however_few_voxels_there_are(rng):
    noise = rng.uniform(0.2, 1.0, (2, 2000))
    assert told_share(*noise, np.ones(2000)) == pytest.approx(0, abs=0.02)


def test_what_does_not_count_and_what_is_constant_tells_nothing(rng):
    image = rng.uniform(0.2, 1.0, 500)
    assert np.isnan(told_share(image, image, np.zeros(500)))
    assert np.isnan(told_share(image, np.full(500, 0.5), np.ones(500)))
