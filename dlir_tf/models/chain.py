"""The chain of stages: how networks and transform layers are connected."""

from typing import Any

import keras
import numpy as np
from keras import ops

from dlir_tf.config import BSplineStage, Config, LinearStage
from dlir_tf.layers.affine import rescale_matrix
from dlir_tf.layers.bspline import BSplineTransformer, bound_control_points
from dlir_tf.layers.compose import Compose, matrix_field
from dlir_tf.layers.pooling import AveragePool
from dlir_tf.layers.warp import Warp
from dlir_tf.models.linear import matrix_layer

Tensor = Any


class Chain:
    """Connects networks and transform layers, one stage after another."""

    def __init__(
        self, config: Config, networks: list[keras.Model], num_frozen: int
    ) -> None:
        shape = (*[None] * config.ndim, 1)
        self.inputs = {
            "fixed": keras.Input(shape, name="fixed"),
            "moving": keras.Input(shape, name="moving"),
            "spacing": keras.Input((config.ndim,), name="spacing"),
        }
        self.control_points: dict[str, Tensor] = {}
        self.trained_points: dict[str, Tensor] = {}  # those that aren't frozen
        self._config = config
        self._networks = networks
        self._num_frozen = num_frozen
        self._matrix: Tensor | None = None
        self._splines: list[tuple[BSplineStage, Tensor, bool]] = []
        self._images: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}
        self._moved: dict[tuple[Any, ...], Tensor] = {}
        self._ddf: dict[tuple[Any, ...], Tensor | None] = {}
        self._num_added = 0

    def add_stage(self, index: int) -> None:
        """Lets the next network look at the images and extends the chain."""
        stage = self._config.stages[index]
        frozen = index < self._num_frozen
        fixed, _ = self.images(stage.downsample)
        pair = [fixed, self.moved(stage.downsample)]
        network = self._networks[index]
        parameters = _FrozenNetwork(network)(*pair) if frozen else network(pair)
        if isinstance(stage, LinearStage):
            self._add_matrix(stage, parameters)
        else:
            self._add_spline(stage, parameters, frozen, index)
        self._num_added += 1

    def images(self, factor: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """The pair, pooled by `factor`."""
        if factor not in self._images:
            pool = AveragePool(factor, dtype="float32")
            self._images[factor] = (
                pool(self.inputs["fixed"]),
                pool(self.inputs["moving"]),
            )
        return self._images[factor]

    def moved(self, factor: tuple[int, ...]) -> Tensor:
        """The pooled moving image, warped by the stages so far."""
        key = (factor, self._num_added)
        if key not in self._moved:
            _, moving = self.images(factor)
            ddf = self.ddf(factor)
            self._moved[key] = moving if ddf is None else Warp()(moving, ddf)
        return self._moved[key]

    def ddf(self, factor: tuple[int, ...]) -> Tensor | None:
        """The field of the stages so far, in voxels of the pooled grid.

        `None` before the first stage.
        """
        key = (factor, self._num_added)
        if key not in self._ddf:
            self._ddf[key] = self._build_ddf(factor)
        return self._ddf[key]

    def matrix_or_identity(self) -> Tensor:
        """The affine matrix, in voxels of the working grid."""
        if self._matrix is not None:
            return self._matrix
        ndim = self._config.ndim
        zeros = ops.zeros_like(self.inputs["spacing"])[:, :, None]
        return ops.add(zeros, np.eye(ndim, ndim + 1, dtype="float32"))

    def _add_matrix(self, stage: LinearStage, parameters: Tensor) -> None:
        layer = matrix_layer(stage)
        matrix = layer(parameters, self.inputs["spacing"], self.inputs["fixed"])
        self._matrix = (
            matrix if self._matrix is None else Compose()(self._matrix, matrix)
        )

    def _add_spline(
        self, stage: BSplineStage, parameters: Tensor, frozen: bool, index: int
    ) -> None:
        spacing = np.asarray(stage.control_point_spacing, "float32")
        points = ops.multiply(parameters, spacing)
        if stage.injective:
            points = bound_control_points(points, stage.control_point_spacing)
        name = stage.parameters_name(index + 1)
        self.control_points[name] = points
        if not frozen:
            self.trained_points[name] = points
        self._splines.append((stage, points, frozen))

    def _build_ddf(self, factor: tuple[int, ...]) -> Tensor | None:
        deformation, all_frozen = None, True
        for stage, points, frozen in self._splines:
            field = self._expand(stage, points, factor)
            if deformation is None:
                deformation = field
            else:
                compose = Compose(outer_gradient=not all_frozen)
                deformation = compose(deformation, field)
            all_frozen = all_frozen and frozen
        if self._matrix is None:
            return deformation
        matrix = rescale_matrix(self._matrix, factor)
        if deformation is None:
            fixed, _ = self.images(factor)
            return _MatrixField()(matrix, fixed)
        return Compose()(matrix, deformation)

    def _expand(
        self, stage: BSplineStage, points: Tensor, factor: tuple[int, ...]
    ) -> Tensor:
        """A stage's field on the grid pooled by `factor`, in its voxels.

        The lattice is the same on every grid; only its spacing counts other voxels.
        """
        pairs = zip(stage.cell_spacing, factor, strict=True)
        spacing = tuple(cell // step for cell, step in pairs)
        scaled = ops.divide(points, np.asarray(factor, "float32"))
        return BSplineTransformer(spacing)(scaled)


class _FrozenNetwork(keras.layers.Layer):
    """A network that is used as it is, whatever is trained around it.

    `training=False` in a functional model would not last: Keras replaces it by the
    mode that the model is called in, and batch normalisation would go on learning.
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__(dtype="float32")
        self.network = network

    def call(self, fixed: Tensor, moving: Tensor) -> Tensor:
        return ops.stop_gradient(self.network([fixed, moving], training=False))

    def compute_output_shape(
        self, fixed_shape: Any, moving_shape: Any
    ) -> tuple[Any, ...]:
        shape: tuple[Any, ...] = self.network.compute_output_shape(
            [fixed_shape, moving_shape]
        )
        return shape


class _MatrixField(keras.layers.Layer):
    """The displacement field of a matrix on the grid of a reference image."""

    def __init__(self) -> None:
        super().__init__(dtype="float32")

    def call(self, matrix: Tensor, reference: Tensor) -> Tensor:
        return matrix_field(matrix, reference)

    def compute_output_shape(
        self, matrix_shape: Any, reference_shape: Any
    ) -> tuple[Any, ...]:
        return (*reference_shape[:-1], matrix_shape[-2])
