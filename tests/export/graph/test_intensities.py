"""Intensities in the graph against NumPy's percentiles and the package's scaling."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.config import Intensity
from dlir_tf.export.graph import intensities
from dlir_tf.pairs.intensities import scale_intensities

Array = np.ndarray
ZERO = tf.constant(0)


def values(kind, rng):
    noise = rng.normal(0, 300, (7, 11, 5))
    images = {
        "floats": noise,
        "integers with ties": np.rint(noise / 100),
        "mostly background": np.where(rng.random(noise.shape) < 0.7, 0, noise),
        "tiny and huge": noise * 10.0 ** rng.integers(-30, 30, noise.shape),
        "negative": -np.abs(noise) - 1,
        "two voxels": np.array([[[3.5, -2.0]]]),
        "signed zeros": np.array([0.0, -0.0, 1.0, -0.0]),
    }
    return images[kind].astype(np.float32)


@pytest.mark.parametrize(
    "kind",
    [
        "floats",
        "integers with ties",
        "mostly background",
        "tiny and huge",
        "negative",
        "two voxels",
        "signed zeros",
    ],
)
def test_percentiles_are_numpys(kind, rng):
    image = values(kind, rng)
    percents = (0.0, 0.5, 33.3, 50.0, 99.5, 100.0)
    found = intensities.percentiles(tf.constant(image), percents)
    expected = np.percentile(image.astype(np.float64), percents)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    "limits",
    [
        {},
        {"clip_percentiles": (5.0, 70.0)},
        {"clip_percentiles": None},
        {"clip_percentiles": None, "clip_values": (-100.0, 250.0)},
    ],
)
@pytest.mark.parametrize("kind", ["floats", "integers with ties", "negative"])
def test_scaling_is_that_of_preprocessing(limits, kind, rng):
    image, intensity = values(kind, rng), Intensity.model_validate(limits)
    if kind == "negative" and intensity.clip_values:
        image = image + 300
    scaled = intensities.scale_intensities(tf.constant(image), intensity, "fixed", ZERO)
    expected = scale_intensities(image, intensity, "fixed")
    np.testing.assert_allclose(scaled, expected, atol=1e-6)
    assert np.ptp(expected) > 0.05


def test_small_bright_object_isnt_lost():
    image = np.zeros((9, 8, 7), np.float32)
    image[4, 4, 4] = 5.0
    scaled = intensities.scale_intensities(
        tf.constant(image), Intensity(), "fixed", ZERO
    )
    np.testing.assert_array_equal(scaled, image / 5)


def test_constant_image_fails_with_its_number():
    image = tf.fill((3, 4), 2.0)
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match="pair 3 of the batch: the moving image is const",
    ):
        intensities.scale_intensities(image, Intensity(), "moving", tf.constant(3))
