"""What training and refinement minimise."""

from typing import Any

import numpy as np
from keras import ops

from dlir_tf.config import Config
from dlir_tf.layers.pooling import average_pool
from dlir_tf.layers.warp import Warp
from dlir_tf.losses import (
    bending_energy,
    folding_penalty,
    landmark_error,
    similarity_loss,
    soft_dice,
)
from dlir_tf.losses.label_maps import LABELS, label_maps
from dlir_tf.losses.masks import pool_mask, warp_mask

Batch = dict[str, Any]


class Objective:
    """The loss of a phase: dissimilarity, roughness and what labels tell, weighted.

    Args:
        config: Says similarity and weights.
        factor: The downsampling of the images that are compared.
        with_similarity: Whether images are compared, beside labels and landmarks.
    """

    def __init__(
        self, config: Config, factor: tuple[int, ...], *, with_similarity: bool = True
    ) -> None:
        self._config = config
        self._factor = factor
        settings = config.similarity.model_dump(exclude={"weight"})
        self._dissimilarity = similarity_loss(**settings) if with_similarity else None

    def __call__(self, batch: Batch, outputs: dict[str, Any]) -> dict[str, Any]:
        """Evaluates the loss per sample.

        Args:
            batch: `mask`, `(batch, *size, 1)`, and `spacing`, `(batch, ndim)`; and
                perhaps `fixed_mask` and `moving_mask`, like `mask`, 0 or 1; and
                `fixed_labels` and `moving_labels`, of the same shape, with the
                `label_values`, `(batch, num_labels)`, that count; and `fixed_points`
                and `moving_points`, `(batch, num_points, ndim)`, in voxels, with
                `point_weights`, `(batch, num_points)`.
            outputs: Of the training model: `fixed`, `moved`, control points by name;
                and `ddf`, through which a moving mask and moving labels are warped.

        Returns:
            `loss` and its summands, weighted: `bending_energy`, and as far as they are
            asked for `similarity_loss`, `folding_penalty`, `label_loss` and
            `landmark_loss`; `(batch,)`.
        """
        terms = {}
        if self._dissimilarity is not None:
            mask = self._weights(batch, outputs)
            unlike = self._dissimilarity(outputs["fixed"], outputs["moved"], mask)
            terms["similarity_loss"] = self._config.similarity.weight * unlike
        energy, folding = ops.zeros_like(batch["spacing"][:, 0]), 0.0
        for _, name, stage in self._config.all_deformable_stages:
            if (points := outputs.get(name)) is not None:
                energy = energy + stage.bending_energy * bending_energy(
                    points, stage.control_point_spacing, batch["spacing"]
                )
                folding = stage.folding_penalty
        terms["bending_energy"] = energy
        if folding:  # of the whole field, as the last stage in training wants it
            terms["folding_penalty"] = folding * folding_penalty(outputs["ddf"])
        supervision = self._config.training.supervision
        if supervision.labels and "label_values" in batch:
            terms["label_loss"] = supervision.labels * self._label_loss(batch, outputs)
        if supervision.landmarks and "fixed_points" in batch:
            error = self._landmark_error(batch, outputs)
            terms["landmark_loss"] = supervision.landmarks * error
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

    def _landmark_error(self, batch: Batch, outputs: dict[str, Any]) -> Any:
        factor = np.asarray(self._factor, "float32")
        # A voxel of the averaged images lies in the middle of those it is made of.
        fixed, moving = (
            (batch[name] - (factor - 1.0) / 2.0) / factor
            for name in ("fixed_points", "moving_points")
        )
        spacing = batch["spacing"] * factor
        weights = batch["point_weights"]
        return landmark_error(fixed, moving, outputs["ddf"], spacing, weights)

    def _weights(self, batch: Batch, outputs: dict[str, Any]) -> Any:
        """How much each voxel of the compared images counts, from 0 to 1."""
        weights = average_pool(batch["mask"], self._factor)
        if "fixed_mask" in batch:
            weights = weights * pool_mask(batch["fixed_mask"], self._factor)
        if "moving_mask" in batch:
            pooled = pool_mask(batch["moving_mask"], self._factor)
            weights = weights * warp_mask(pooled, outputs["ddf"])
        return weights
