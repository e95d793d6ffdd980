"""The loss of a deformable stage as a graph of Keras, for graphics processors.

And for what no kernel is written for. It is what the kernels are tested against.
"""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from dlir_tf.compute.compilation import compiled_graph, value_and_gradient
from dlir_tf.config import BSplineStage, Config, Similarity
from dlir_tf.layers.bspline import bound_control_points
from dlir_tf.layers.known_size import expand
from dlir_tf.layers.warp import Warp
from dlir_tf.losses import bending_energy, folding_penalty, mse, similarity_loss
from dlir_tf.losses.masks import warp_mask
from dlir_tf.refinement.images import PhaseImages
from dlir_tf.refinement.measures import described_images
from dlir_tf.refinement.objectives import SplineNumbers

Tensor = Any
Tensors = dict[str, Tensor]

_MOST_FUNCTIONS = 32


class GraphObjective(SplineNumbers):
    """The same loss as `SplineObjective`, and the same numbers."""

    def __init__(
        self,
        images: PhaseImages,
        config: Config,
        stage: BSplineStage,
        spacing: tuple[float, ...],
    ) -> None:
        super().__init__(images, stage)
        if config.similarity.kind == "mind_ssc":
            images = described_images(images, config.similarity)
        self._data = {
            "fixed": _batch(images.fixed, len(spacing)),
            "moving": _batch(images.moving, len(spacing)),
            "weights": _batch(images.weights, len(spacing)),
            "spacing": ops.convert_to_tensor(np.asarray([spacing], np.float32)),
        }
        if images.moving_mask is not None:
            self._data["moving_mask"] = _batch(images.moving_mask, len(spacing))
        self._differentiate = _differentiated(config.similarity, stage)

    def __call__(self, numbers: np.ndarray) -> tuple[float, np.ndarray]:
        """The loss and its gradient."""
        tensors = {"numbers": ops.convert_to_tensor(numbers[None])}
        loss, gradients = self._differentiate(tensors, self._data)
        return float(loss), ops.convert_to_numpy(gradients["numbers"])[0]


@functools.lru_cache(_MOST_FUNCTIONS)
def _differentiated(
    similarity: Similarity, stage: BSplineStage
) -> Callable[[Tensors, Tensors], Any]:
    settings = similarity.model_dump(exclude={"weight"})
    dissimilarity = (
        mse if similarity.kind == "mind_ssc" else similarity_loss(**settings)
    )
    cells = np.asarray(stage.control_point_spacing, np.float32)
    factor = np.asarray(stage.downsample, np.float32)

    def loss_of(variables: Tensors, data: Tensors) -> Tensor:
        points = variables["numbers"] * cells
        if stage.injective:
            points = bound_control_points(points, stage.control_point_spacing)
        ddf = expand(points / factor, spacing=stage.pooling)
        weights = data["weights"]
        if "moving_mask" in data:
            weights = weights * warp_mask(data["moving_mask"], ddf)
        moved = Warp()(data["moving"], ddf)
        loss = similarity.weight * dissimilarity(data["fixed"], moved, mask=weights)
        energy = bending_energy(points, stage.control_point_spacing, data["spacing"])
        loss = loss + stage.bending_energy * energy
        if not stage.injective and stage.folding_penalty:
            loss = loss + stage.folding_penalty * folding_penalty(ddf)
        return loss[0]

    return compiled_graph(value_and_gradient(loss_of))


def _batch(array: np.ndarray, ndim: int) -> Tensor:
    """A batch of one, with an axis of channels."""
    channels = array if array.ndim > ndim else array[..., None]
    return ops.convert_to_tensor(channels[None].astype(np.float32))
