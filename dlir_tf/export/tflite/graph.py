"""The graph of a model as TFLite runs it best: for one shape, without a batch.

TFLite's own 3-d convolution is slow and always in float32. Its 2-d one is what the
fast kernels of XNNPACK are written for, int8 weights included, so a 3-d convolution
becomes one 2-d convolution per plane of its kernel: twice as fast, as
`benchmarks/litert.py` shows.
"""

from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from dlir_tf.models.litert_file import PARAMETERS, REGISTER
from dlir_tf.models.model import parameters_model

Tensor = Any


class PlanarConvolution(keras.layers.Layer):
    """A 3-d convolution of one volume, as the sum of 2-d ones of its planes.

    Args:
        convolution: With an odd kernel, stride 1 and `padding="same"`; its weights are
            used, not copied.
    """

    def __init__(self, convolution: keras.layers.Conv3D) -> None:
        super().__init__(dtype="float32", name=convolution.name)
        self.convolution = convolution

    def call(self, volume: Tensor) -> Tensor:
        """Convolves `(1, *size, channels)` to `(1, *size, filters)`."""
        kernel, bias = self.convolution.kernel.value, self.convolution.bias.value
        num_planes, size = kernel.shape[0], volume.shape[1:-1]
        margin = num_planes // 2
        planes = tf.reshape(volume, volume.shape[1:])
        if margin:
            planes = tf.pad(planes, [[margin, margin], [0, 0], [0, 0], [0, 0]])
        total = bias
        for number in range(num_planes):
            shifted = planes[number : number + size[0]]
            total = total + tf.nn.conv2d(shifted, kernel[number], 1, "SAME")
        return tf.reshape(total, (1, *size, kernel.shape[-1]))

    def compute_output_shape(self, shape: Any) -> tuple[Any, ...]:
        """Names the shape of what `call` returns."""
        return (*shape[:-1], self.convolution.filters)


def planar(network: keras.Model) -> keras.Model:
    """Returns the same model, weights shared, with planar convolutions."""

    def replace(layer: keras.layers.Layer) -> keras.layers.Layer:
        if isinstance(layer, keras.layers.Conv3D):
            return PlanarConvolution(layer)
        return layer

    clone: keras.Model = keras.models.clone_model(
        network, clone_function=replace, recursive=True
    )
    return clone


def signatures(network: keras.Model, shape: tuple[int, ...]) -> dict[str, Any]:
    """The functions of a model's file, for one pair on a working grid.

    Both take `fixed` and `moving`, `(1, *shape, 1)` in [0, 1], and `spacing`,
    `(1, ndim)` in mm. `parameters` returns what defines the transform, `register` all
    outputs of `dlir_tf.models.model.build_model`.
    """
    flat = planar(network)
    return {
        PARAMETERS: _function(parameters_model(flat), shape),
        REGISTER: _function(flat, shape),
    }


def _function(network: Callable[..., Any], shape: tuple[int, ...]) -> Any:
    specs = [
        tf.TensorSpec((1, *shape, 1), tf.float32, "fixed"),
        tf.TensorSpec((1, *shape, 1), tf.float32, "moving"),
        tf.TensorSpec((1, len(shape)), tf.float32, "spacing"),
    ]

    @tf.function(input_signature=specs, autograph=False)
    def run(fixed: Tensor, moving: Tensor, spacing: Tensor) -> Any:
        inputs = {"fixed": fixed, "moving": moving, "spacing": spacing}
        return network(inputs, training=False)

    return run
