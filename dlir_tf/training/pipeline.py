"""tf.data: from the stored pairs to batches, in an order that only the seed knows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from dlir_tf.masks import MASKS
from dlir_tf.training.store import PairStore, Sample

Batch = dict[str, Any]

_IMAGES = ("fixed", "moving", "mask")


def training_batches(
    store: PairStore,
    *,
    size: tuple[int, ...],
    batch_size: int,
    seed: tuple[int, ...],
    first_step: int,
    last_step: int,
) -> tf.data.Dataset:
    """Returns one batch per step, cropped or padded to one size.

    What step `n` sees depends on the seed and `n` alone, so that an interrupted
    training goes on with the very batches it would have seen.

    Args:
        store: The pairs.
        size: Voxels per axis; larger images are cropped at random, smaller ones
            padded with zeros outside the mask.
        batch_size: Pairs per batch.
        seed: Any ints, such as the user's seed and the phase.
        first_step: The first step wanted, from 0.
        last_step: The step after the last one.

    Returns:
        A dataset of dicts: `fixed`, `moving`, `mask`, `(batch, *size, 1)`, float32;
        likewise `fixed_mask` and `moving_mask`, if any pair has one; `spacing`,
        `(batch, ndim)`, mm; `extent`, `(batch, ndim)`, int32, voxels that aren't
        padding; `step`, `(batch,)`.
    """
    images = (*_IMAGES, *store.masks)
    draw = _sampler(store, images, size, seed)
    numbers = tf.data.Dataset.range(first_step * batch_size, last_step * batch_size)
    ndim = len(size)

    def load(number: Any) -> Batch:
        types = [tf.float32] * (len(images) + 1) + [tf.int32]
        arrays = tf.numpy_function(draw, [number], types, stateful=False)
        batch = dict(zip((*images, "spacing", "extent"), arrays, strict=True))
        for name, array in batch.items():
            array.set_shape((*size, 1) if name in images else (ndim,))
        batch["step"] = number // batch_size
        return batch

    return (
        numbers.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(batch_size, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def pad_sample(sample: Sample, size: tuple[int, ...]) -> Batch:
    """One whole pair as a batch of its own, padded at the far ends to `size`."""
    start = (0,) * len(size)
    there = [name for name in MASKS if getattr(sample, name) is not None]
    names = (*_IMAGES, *there)
    batch = {name: _fit(getattr(sample, name), start, size) for name in names}
    batch["spacing"] = sample.spacing
    return {name: tf.constant(array[None]) for name, array in batch.items()}


def _sampler(
    store: PairStore,
    names: tuple[str, ...],
    size: tuple[int, ...],
    seed: tuple[int, ...],
) -> Callable[[Any], tuple[np.ndarray, ...]]:
    """Returns a function: sample number -> cropped arrays."""

    def draw(number: Any) -> tuple[np.ndarray, ...]:
        epoch, position = divmod(int(number), len(store))
        order = np.random.default_rng((*seed, epoch)).permutation(len(store))
        sample = store.load(int(order[position]))
        room = np.maximum(np.asarray(sample.shape) - size, 0)
        rng = np.random.default_rng((*seed, epoch, position))
        start = tuple(int(n) for n in rng.integers(0, room + 1))
        images = (_fit(getattr(sample, name), start, size) for name in names)
        extent = np.minimum(sample.shape, size).astype(np.int32)
        return (*images, sample.spacing, extent)

    return draw


def _fit(
    array: np.ndarray | None, start: tuple[int, ...], size: tuple[int, ...]
) -> np.ndarray:
    """Crops from `start` and pads with zeros behind; adds the channel axis."""
    if array is None:  # a pair without the mask that others have: all voxels count
        return np.ones((*size, 1), np.float32)
    window = tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))
    cropped = array[window]
    result = np.zeros((*size, 1), np.float32)
    result[..., 0][tuple(slice(0, n) for n in cropped.shape)] = cropped
    return result
