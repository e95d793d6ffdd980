"""How good the model is on pairs that it isn't trained on."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dlir_tf.config import Config
from dlir_tf.layers.warp import Warp
from dlir_tf.metrics import dice, folded_percent, jacobian_determinant
from dlir_tf.models.model import partial_model
from dlir_tf.models.objective import Objective
from dlir_tf.training.pipeline import pad_sample
from dlir_tf.training.sample import Sample
from dlir_tf.training.sights import Sights
from dlir_tf.training.store import PairStore
from dlir_tf.training.workers import Workers


class Validator:
    """Evaluates the first stages of a model at full resolution.

    Args:
        network: The Keras model.
        config: Its config.
        num_stages: Stages in use.
        store: The validation pairs.
        workers: Who shares them; this one alone by default.
    """

    def __init__(
        self,
        network: keras.Model,
        config: Config,
        num_stages: int,
        store: PairStore,
        workers: Workers | None = None,
    ) -> None:
        self._workers = workers or Workers()
        self._store = store
        self._size = store.largest_shape
        self._label_weight = config.training.supervision.labels
        model = partial_model(network, config, num_stages)
        objective = Objective(config, (1,) * config.ndim)
        warp_labels = Warp("nearest", fill_value=0.0)

        @tf.function(autograph=False)
        def evaluate(batch: dict[str, Any], labels: Any) -> Any:
            inputs = {name: batch[name] for name in ("fixed", "moving", "spacing")}
            outputs = model(inputs, training=False)
            losses = objective(batch, {**outputs, "fixed": batch["fixed"]})
            moved_labels = warp_labels(labels, outputs["ddf"])
            return losses, outputs["ddf"], outputs["moved"], moved_labels

        self._evaluate = evaluate

    def __call__(self, sights: Sights | None = None) -> dict[str, float]:
        """Returns the means over all pairs, as the log names them.

        Args:
            sights: Is filled with what there is to see.
        """
        own = self._workers.own(len(self._store))
        mine = [self._evaluate_pair(index, sights) for index in own]
        rows = self._workers.collect(mine)
        if sights is not None:
            sights.gather()
        # Not every pair has labels.
        names = {name: None for row in rows for name in row}
        means = {name: np.mean([r[name] for r in rows if name in r]) for name in names}
        return {f"validation_{name}": float(mean) for name, mean in means.items()}

    def _evaluate_pair(self, index: int, sights: Sights | None) -> dict[str, float]:
        sample = self._store.load(index)
        losses, ddf, moved, moved_labels = self._evaluate(
            pad_sample(sample, self._size, self._store.most_points),
            self._padded_labels(sample),
        )
        inside = (0, *(slice(0, n) for n in sample.shape))
        jacobian = jacobian_determinant(ddf.numpy()[inside])
        row = {
            "loss": float(losses["loss"][0]),
            "similarity_loss": float(losses["similarity_loss"][0]),
            "folded_percent": folded_percent(jacobian),
        }
        if sample.fixed_labels is not None:
            carried = moved_labels.numpy()[inside][..., 0]
            overlaps = list(dice(sample.fixed_labels, carried).values())
            if overlaps:
                row["dice"] = float(np.mean(overlaps))
                row["loss"] += self._label_weight * (1.0 - row["dice"])
        if sights is not None:
            image = moved.numpy()[inside][..., 0]
            sights.see(index, sample, image, ddf.numpy()[inside], jacobian, row)
        return row

    def _padded_labels(self, sample: Sample) -> Any:
        labels = np.zeros((1, *self._size, 1), np.int32)
        if sample.moving_labels is not None:
            inside = tuple(slice(0, n) for n in sample.shape)
            labels[0, ..., 0][inside] = sample.moving_labels
        return tf.constant(labels)
