"""Which part of a pair a deformable stage trains on.

Patches are cut as soon as possible: by the data pipeline, or, where linear stages
come before, on the device that trains, after these have aligned the whole images.
A linear stage that saw a patch would align something else.
"""

from typing import Any

import keras
import tensorflow as tf

from dlir_tf.config import MATRIX, Config
from dlir_tf.losses.label_maps import LABELS
from dlir_tf.losses.masks import MASKS
from dlir_tf.models.model import partial_model
from dlir_tf.training.augmentation import warp_side
from dlir_tf.training.landmarks import pull_back
from dlir_tf.training.phases import Phase
from dlir_tf.training.replica import ALONE, Replica

Batch = dict[str, Any]


def patch_size(config: Config, phase: Phase) -> tuple[int, ...] | None:
    """What a phase trains on; `None` for whole images."""
    trains_linear = phase.num_frozen < len(config.linear_stages)
    return None if trains_linear else config.training.patch_size


def batch_size_in_voxels(
    config: Config, phase: Phase, largest_shape: tuple[int, ...]
) -> tuple[int, ...]:
    """What the data pipeline cuts or pads the images of a phase to.

    Args:
        config: The config.
        phase: The phase.
        largest_shape: The shape that every pair fits into.
    """
    size = patch_size(config, phase)
    if size is None:
        return largest_shape
    if not config.linear_stages:
        return size
    return tuple(max(pair) for pair in zip(size, largest_shape, strict=True))


class AlignedPatches:
    """Aligns whole pairs by the linear stages, then cuts patches at random.

    Args:
        network: The Keras model.
        config: Its config.
        size: Of the patches.
    """

    def __init__(
        self, network: keras.Model, config: Config, size: tuple[int, ...]
    ) -> None:
        self._size = size
        self._align = partial_model(network, config, len(config.linear_stages))
        self._matrix = keras.Model(network.input, network.output[MATRIX])

    def __call__(self, batch: Batch, seed: Any, replica: Replica = ALONE) -> Batch:
        """Returns the batch of patches.

        Args:
            batch: `fixed`, `moving` and `mask`, `(batch, *size, 1)`, and perhaps
                `fixed_mask` and `moving_mask`, `fixed_labels` and `moving_labels`,
                and `POINTS`; `spacing` and `extent`, `(batch, ndim)`.
            seed: Two ints.
            replica: The device that this part of a batch is on.
        """
        inputs = {name: batch[name] for name in ("fixed", "moving", "spacing")}
        outputs = self._align(inputs, training=False)
        aligned = {**batch, **warp_side("moving", batch, outputs["ddf"])}
        extent = tf.cast(batch["extent"], tf.float32)
        places = replica.uniform(tf.shape(extent), seed)
        room = tf.maximum(extent - tf.constant(self._size, tf.float32), 0.0)
        # Rounding could reach the upper end, which is excluded.
        start = tf.minimum(tf.floor(places * (room + 1.0)), room)
        if "fixed_points" in batch:
            matrix = self._matrix(inputs, training=False)
            aligned["moving_points"] = pull_back(batch["moving_points"], matrix)
            aligned |= self._cut_points(aligned, start)
        starts = tf.unstack(tf.cast(start, tf.int32))
        names = ("fixed", "moving", "mask", *MASKS, *LABELS)
        for name in [name for name in names if name in batch]:
            images = tf.unstack(aligned[name])
            aligned[name] = tf.stack(
                [
                    tf.slice(image, tf.concat([first, [0]], 0), (*self._size, 1))
                    for image, first in zip(images, starts, strict=True)
                ]
            )
        return aligned

    def _cut_points(self, batch: Batch, start: Any) -> Batch:
        fixed = batch["fixed_points"] - start[:, None]
        last = tf.constant(self._size, tf.float32) - 1.0
        inside = tf.reduce_all((fixed >= 0) & (fixed <= last), axis=-1)
        return {
            "fixed_points": fixed,
            "moving_points": batch["moving_points"] - start[:, None],
            "point_weights": batch["point_weights"] * tf.cast(inside, tf.float32),
        }
