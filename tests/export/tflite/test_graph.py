"""Planar convolutions are the 3-d ones."""

import keras
import numpy as np
import pytest

from dlir_tf.export.tflite.graph import PlanarConvolution


@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 1, 1), (5, 1, 3)])
def test_a_planar_convolution_is_the_3d_one(kernel):
    rng = np.random.default_rng(3)
    convolution = keras.layers.Conv3D(4, kernel, padding="same")
    volume = rng.normal(size=(1, 7, 6, 5, 2)).astype("float32")
    convolution.build(volume.shape)
    convolution.bias.assign(rng.normal(size=4))
    planar = PlanarConvolution(convolution)
    np.testing.assert_allclose(
        np.asarray(planar(volume)), np.asarray(convolution(volume)), atol=1e-5
    )
