"""ConvNets: from an image pair to transform parameters."""

from typing import Any

import keras
from keras import layers, ops

from dlir_tf.config import BSplineStage, LinearStage, Stage
from dlir_tf.layers.pooling import AveragePool, EdgePad
from dlir_tf.splines.lattice import BORDER

Tensor = Any


def stage_network(stage: Stage, ndim: int, name: str) -> keras.Model:
    """Builds the ConvNet of a stage, whatever its kind; see below."""
    if isinstance(stage, LinearStage):
        return linear_network(stage, ndim, name)
    return deformable_network(stage, ndim, name)


def linear_network(stage: LinearStage, ndim: int, name: str) -> keras.Model:
    """Builds the ConvNet of a linear stage.

    Two pipelines with shared weights look at the fixed and at the moving image;
    their pooled features meet in dense layers. The head starts at zero, so that an
    untrained network is the identity.

    Reference:

    - de Vos et al. (2019), https://doi.org/10.1016/j.media.2018.11.010, figure 2.

    Args:
        stage: The stage's config.
        ndim: 2 or 3.
        name: The model's name.

    Returns:
        A model `[fixed, moving] -> parameters`: images
        `(batch, *stage_size, 1)`, parameters `(batch, stage.num_parameters[ndim])`,
        unbounded, as the stage's `matrix_layer` takes them.
    """
    image = keras.Input((*[None] * ndim, 1))
    features = _pyramid(image, stage, stage.pooling, ndim)
    pool = Centroids() if stage.pooling_mode == "centroid" else _GlobalMeans()
    pipeline = keras.Model(image, pool(features), name=f"{name}_pipeline")

    fixed, moving = _image_inputs(ndim)
    hidden = layers.Concatenate()([pipeline(fixed), pipeline(moving)])
    for units in stage.dense_units:
        hidden = layers.Dense(units, activation="elu")(hidden)
    parameters = layers.Dense(
        stage.num_parameters[ndim], kernel_initializer="zeros", dtype="float32"
    )(hidden)
    return keras.Model([fixed, moving], parameters, name=name)


def deformable_network(stage: BSplineStage, ndim: int, name: str) -> keras.Model:
    """Builds the ConvNet of a deformable stage.

    The concatenated pair is pooled down to one feature cell per control point;
    the border of that map is widened by two cells, which the control points
    beyond the image need, and 3×3×3 and 1×1×1 convolutions read off the
    displacements.

    Reference:

    - de Vos et al. (2019), https://doi.org/10.1016/j.media.2018.11.010, figure 3.

    Args:
        stage: The stage's config.
        ndim: 2 or 3.
        name: The model's name.

    Returns:
        A model `[fixed, moving] -> control_points`: images
        `(batch, *stage_size, 1)`, control points
        `(batch, *(stage_size / pooling + 4), ndim)`, unbounded, in units of the
        control point spacing.
    """
    fixed, moving = _image_inputs(ndim)
    pair = layers.Concatenate()([fixed, moving])
    features = EdgePad(BORDER)(_pyramid(pair, stage, stage.pooling, ndim))
    for _ in range(2):
        features = _convolution(features, stage.lattice_filters, stage, ndim)
    features = _convolution(features, stage.lattice_filters, stage, ndim, size=1)
    control_points = _layer("Conv", ndim)(
        ndim, 1, kernel_initializer="zeros", dtype="float32"
    )(features)
    return keras.Model([fixed, moving], control_points, name=name)


@keras.saving.register_keras_serializable(package="dlir_tf")
class Centroids(layers.Layer):
    """Global pooling that keeps position: means and centres of mass per channel.

    Plain averages forget where a feature is, which makes translation hard to
    learn. Positions run from -1 to 1 along each axis; weights are the squared
    features.

    Input shape:
        `(batch, *size, channels)`.

    Output shape:
        `(batch, channels * (1 + ndim))`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, features: Tensor) -> Tensor:
        sizes = ops.shape(features)[1:-1]
        axes = tuple(range(1, len(sizes) + 1))
        weights = ops.square(features) + 1e-6
        total = ops.sum(weights, axis=axes)
        pooled = [ops.mean(features, axis=axes)]
        for axis, size in zip(axes, sizes, strict=True):
            step = 2.0 / ops.cast(size, "float32")
            position = (ops.cast(ops.arange(size), "float32") + 0.5) * step - 1.0
            others = tuple(a for a in axes if a != axis)
            profile = ops.sum(weights, axis=others)
            pooled.append(ops.sum(profile * position[:, None], axis=1) / total)
        return ops.concatenate(pooled, axis=-1)

    def compute_output_shape(self, shape: Any) -> tuple[Any, ...]:
        return (shape[0], shape[-1] * (len(shape) - 1))


@keras.saving.register_keras_serializable(package="dlir_tf")
class _GlobalMeans(layers.Layer):
    """Global average pooling, as in the paper, for any rank."""

    def call(self, features: Tensor) -> Tensor:
        return ops.mean(features, axis=tuple(range(1, len(features.shape) - 1)))

    def compute_output_shape(self, shape: Any) -> tuple[Any, ...]:
        return (shape[0], shape[-1])


def _image_inputs(ndim: int) -> tuple[Any, Any]:
    shape = (*[None] * ndim, 1)
    return keras.Input(shape, name="fixed"), keras.Input(shape, name="moving")


def _pyramid(
    image: Tensor,
    stage: LinearStage | BSplineStage,
    pooling: tuple[int, ...],
    ndim: int,
) -> Tensor:
    """Convolutions and pooling by two until `pooling` is reached on every axis."""
    features, reached = image, (1,) * ndim
    num_levels = max(1, max(pooling).bit_length() - 1)
    for level in range(num_levels):
        filters = stage.filters[min(level, len(stage.filters) - 1)]
        for _ in range(stage.convolutions):
            features = _convolution(features, filters, stage, ndim)
        step = tuple(2 if r < p else 1 for r, p in zip(reached, pooling, strict=True))
        features = AveragePool(step)(features)
        reached = tuple(r * s for r, s in zip(reached, step, strict=True))
    return features


def _convolution(
    features: Tensor,
    filters: int,
    stage: LinearStage | BSplineStage,
    ndim: int,
    size: int = 3,
) -> Tensor:
    features = _layer("Conv", ndim)(filters, size, padding="same")(features)
    if stage.normalization == "batch":
        features = layers.BatchNormalization()(features)
    return layers.Activation("elu")(features)


def _layer(kind: str, ndim: int) -> Any:
    return getattr(layers, f"{kind}{ndim}D")
