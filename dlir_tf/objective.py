"""What training and refinement minimise."""

from typing import Any

from keras import ops

from dlir_tf.config import BSplineStage, Config
from dlir_tf.label_maps import LABELS, label_maps
from dlir_tf.layers.pooling import average_pool
from dlir_tf.layers.warp import Warp
from dlir_tf.losses import bending_energy, similarity_loss, soft_dice
from dlir_tf.masks import pool_mask, warp_mask

Batch = dict[str, Any]


class Objective:
    """The loss of a phase: dissimilarity, roughness and what labels tell, weighted.

    Args:
        config: Says similarity and weights.
        factor: The downsampling of the images that are compared.
    """

    def __init__(self, config: Config, factor: tuple[int, ...]) -> None:
        self._config = config
        self._factor = factor
        settings = config.similarity.model_dump(exclude={"weight"})
        self._dissimilarity = similarity_loss(**settings)

    def __call__(self, batch: Batch, outputs: dict[str, Any]) -> dict[str, Any]:
        """Evaluates the loss per sample.

        Args:
            batch: `mask`, `(batch, *size, 1)`, and `spacing`, `(batch, ndim)`; and
                perhaps `fixed_mask` and `moving_mask`, like `mask`, 0 or 1; and
                `fixed_labels` and `moving_labels`, of the same shape, with the
                `label_values`, `(batch, num_labels)`, that count.
            outputs: Of the training model: `fixed`, `moved`, `control_points_N`; and
                `ddf`, through which a moving mask and moving labels are warped.

        Returns:
            `loss` and its summands, weighted: `similarity_loss`, `bending_energy`,
            and with labels `label_loss`; `(batch,)`.
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
        terms = {"similarity_loss": dissimilarity, "bending_energy": energy}
        weight = self._config.training.supervision.labels
        if weight and "label_values" in batch:
            terms["label_loss"] = weight * self._label_loss(batch, outputs)
        return {"loss": sum(terms.values()), **terms}

    def _label_loss(self, batch: Batch, outputs: dict[str, Any]) -> Any:
        fixed, moving = (
            label_maps(batch[name], batch["label_values"], self._factor)
            for name in LABELS
        )
        moved = Warp(fill_value=0.0)(moving, outputs["ddf"])
        # Where an image has no voxels, its structures are unknown.
        weights = average_pool(batch["mask"], self._factor)
        return 1.0 - soft_dice(fixed, moved, weights)

    def _weights(self, batch: Batch, outputs: dict[str, Any]) -> Any:
        """How much each voxel of the compared images counts, from 0 to 1."""
        weights = average_pool(batch["mask"], self._factor)
        if "fixed_mask" in batch:
            weights = weights * pool_mask(batch["fixed_mask"], self._factor)
        if "moving_mask" in batch:
            pooled = pool_mask(batch["moving_mask"], self._factor)
            weights = weights * warp_mask(pooled, outputs["ddf"])
        return weights
