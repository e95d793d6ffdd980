"""What training and refinement minimise."""

from typing import Any

from keras import ops

from dlir_tf.config import BSplineStage, Config
from dlir_tf.layers.pooling import average_pool
from dlir_tf.losses import bending_energy, similarity_loss
from dlir_tf.masks import pool_mask, warp_mask

Batch = dict[str, Any]


class Objective:
    """The loss of a phase: dissimilarity plus weighted bending energies.

    Args:
        config: Says similarity and weights.
        factor: The downsampling of the images that are compared.
    """

    def __init__(self, config: Config, factor: tuple[int, ...]) -> None:
        self._config = config
        self._factor = factor
        similarity = config.similarity
        self._dissimilarity = similarity_loss(similarity.kind, similarity.window)

    def __call__(self, batch: Batch, outputs: dict[str, Any]) -> dict[str, Any]:
        """Evaluates the loss per sample.

        Args:
            batch: `mask`, `(batch, *size, 1)`, and `spacing`, `(batch, ndim)`; and
                perhaps `fixed_mask` and `moving_mask`, like `mask`, 0 or 1.
            outputs: Of the training model: `fixed`, `moved`, `control_points_N`; and
                `ddf`, through which a moving mask is warped.

        Returns:
            `loss`, `similarity_loss` and `bending_energy` (weighted), `(batch,)`.
        """
        mask = self._weights(batch, outputs)
        dissimilarity = self._dissimilarity(outputs["fixed"], outputs["moved"], mask)
        dissimilarity = self._config.similarity.weight * dissimilarity
        energy = ops.zeros_like(dissimilarity)
        for number, stage in enumerate(self._config.stages, start=1):
            points = outputs.get(f"control_points_{number}")
            if isinstance(stage, BSplineStage) and points is not None:
                energy = energy + stage.bending_energy * bending_energy(
                    points, stage.control_point_spacing, batch["spacing"]
                )
        return {
            "loss": dissimilarity + energy,
            "similarity_loss": dissimilarity,
            "bending_energy": energy,
        }

    def _weights(self, batch: Batch, outputs: dict[str, Any]) -> Any:
        """How much each voxel of the compared images counts, from 0 to 1."""
        weights = average_pool(batch["mask"], self._factor)
        if "fixed_mask" in batch:
            weights = weights * pool_mask(batch["fixed_mask"], self._factor)
        if "moving_mask" in batch:
            pooled = pool_mask(batch["moving_mask"], self._factor)
            weights = weights * warp_mask(pooled, outputs["ddf"])
        return weights
