"""Coarser grids and wider borders, with ops that every export format knows."""

from typing import Any

import keras
from keras import ops

Tensor = Any


def average_pool(values: Tensor, factor: tuple[int, ...]) -> Tensor:
    """Averages blocks of voxels.

    Args:
        values: `(batch, *size, channels)`, with `size` a multiple of `factor`.
        factor: Ints, one per axis; 1 leaves an axis as it is.

    Returns:
        `(batch, *(size / factor), channels)`.

    Raises:
        ValueError: If a size isn't a multiple of its factor.
    """
    for size, step in zip(values.shape[1:-1], factor, strict=True):
        if size is not None and size % step:
            raise ValueError(
                f"average_pool: sizes must be multiples of {tuple(factor)}. "
                f"Received: {tuple(values.shape[1:-1])}"
            )
    # One axis at a time by reshape and mean: TFLite has no AveragePooling3D.
    for axis, step in enumerate(factor, start=1):
        if step > 1:
            shape = ops.shape(values)
            blocks = (*shape[:axis], shape[axis] // step, step, *shape[axis + 1 :])
            values = ops.mean(ops.reshape(values, blocks), axis=axis + 1)
    return values


def pad_edges(values: Tensor, width: int) -> Tensor:
    """Repeats the border `width` times on every side of the spatial axes."""
    for axis in range(1, len(values.shape) - 1):
        index: list[Any] = [slice(None)] * len(values.shape)
        index[axis] = slice(0, 1)
        first = values[tuple(index)]
        index[axis] = slice(-1, None)
        last = values[tuple(index)]
        values = ops.concatenate([first] * width + [values] + [last] * width, axis=axis)
    return values


@keras.saving.register_keras_serializable(package="dlir_tf")
class AveragePool(keras.layers.Layer):
    """Average pooling by a factor per axis; see `average_pool`."""

    def __init__(self, factor: tuple[int, ...], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor = tuple(factor)

    def call(self, values: Tensor) -> Tensor:
        return average_pool(values, self.factor)

    def compute_output_shape(self, shape: Any) -> tuple[Any, ...]:
        size = [
            None if n is None else n // step
            for n, step in zip(shape[1:-1], self.factor, strict=True)
        ]
        return (shape[0], *size, shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


@keras.saving.register_keras_serializable(package="dlir_tf")
class EdgePad(keras.layers.Layer):
    """Repeats the border of a feature map; see `pad_edges`."""

    def __init__(self, width: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.width = width

    def call(self, values: Tensor) -> Tensor:
        return pad_edges(values, self.width)

    def compute_output_shape(self, shape: Any) -> tuple[Any, ...]:
        size = [None if n is None else n + 2 * self.width for n in shape[1:-1]]
        return (shape[0], *size, shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width}
