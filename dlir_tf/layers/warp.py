"""Warp: an image sampled at displaced points."""

from typing import Any

import keras
from keras import ops

from dlir_tf.compute.compilation import compiled_island
from dlir_tf.layers.checks import check_field
from dlir_tf.layers.sampling import sample_displaced

Tensor = Any


@keras.saving.register_keras_serializable(package="dlir_tf")
class Warp(keras.layers.Layer):
    """Samples an image at displaced points.

    The value at voxel `p` of the result is that of the image at `p + ddf[p]`: the
    field pulls the image back. The field's grid may differ in size from the
    image's; both count voxels from the same first voxel.

    Reference:

    - Jaderberg et al. (2015), "Spatial transformer networks".
      https://arxiv.org/abs/1506.02025

    Args:
        interpolation: `"linear"`, or `"nearest"` for label images, whose dtype is
            kept.
        fill_value: The value outside the image; `None` (the default) repeats the
            voxels of its border.
        image_gradient: Whether gradients flow to the image too, not only to the
            field. Off by default: registration doesn't need it, and the scatter
            it takes is several times slower than all the rest.

    Call arguments:
        image: The image, with any number of channels.
        ddf: The displacements, in voxels.

    Input shape:
        `(batch, *image_size, channels)` and `(batch, *size, ndim)`, 2-d or 3-d.

    Output shape:
        `(batch, *size, channels)`.

    Raises:
        ValueError: If the interpolation is unknown, or the field's rank or number
            of components doesn't fit the image.

    Example:

    >>> image = keras.ops.reshape(keras.ops.arange(6.0), (1, 2, 3, 1))
    >>> ddf = keras.ops.broadcast_to(keras.ops.array([0.0, 0.5]), (1, 2, 3, 2))
    >>> keras.ops.convert_to_numpy(Warp()(image, ddf))[0, ..., 0]
    array([[0.5, 1.5, 2. ],
           [3.5, 4.5, 5. ]], dtype=float32)
    """

    def __init__(
        self,
        interpolation: str = "linear",
        fill_value: float | None = None,
        image_gradient: bool = False,
        **kwargs: Any,
    ) -> None:
        # Coordinates need float32 whatever the mixed-precision policy is.
        super().__init__(**{**kwargs, "dtype": "float32"})
        if interpolation not in ("linear", "nearest"):
            raise ValueError(
                "interpolation: must be 'linear' or 'nearest'. "
                f"Received: {interpolation!r}"
            )
        self.interpolation = interpolation
        self.fill_value = fill_value
        self.image_gradient = image_gradient

    def call(self, image: Tensor, ddf: Tensor) -> Tensor:
        check_field("Warp", ddf, ndim=len(image.shape) - 2)
        return _warp(
            image,
            ddf,
            interpolation=self.interpolation,
            fill_value=self.fill_value,
            image_gradient=self.image_gradient,
        )

    def compute_output_spec(self, image: Any, ddf: Any) -> keras.KerasTensor:
        check_field("Warp", ddf, ndim=len(image.shape) - 2)
        dtype = image.dtype if self.interpolation == "nearest" else "float32"
        return keras.KerasTensor((*ddf.shape[:-1], image.shape[-1]), dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "interpolation": self.interpolation,
            "fill_value": self.fill_value,
            "image_gradient": self.image_gradient,
        }


@compiled_island
def _warp(
    image: Tensor,
    ddf: Tensor,
    *,
    interpolation: str,
    fill_value: float | None,
    image_gradient: bool,
) -> Tensor:
    if not image_gradient:
        image = ops.stop_gradient(image)
    return sample_displaced(image, ddf, fill_value, interpolation)
