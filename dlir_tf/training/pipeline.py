"""tf.data: from the stored pairs to batches, in an order that only the seed knows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from dlir_tf.losses.masks import MASKS
from dlir_tf.training.landmarks import POINTS, crop_points
from dlir_tf.training.sample import Sample
from dlir_tf.training.store import PairStore

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
    labels_per_step: int = 1,
    worker: int = 0,
    num_workers: int = 1,
) -> tf.data.Dataset:
    """Returns one batch per step, cropped or padded to one size.

    What step `n` sees depends on the seed and `n` alone, so that an interrupted
    training goes on with the very batches it would have seen.

    Several workers share a batch: the first one reads its first rows, and so on.

    Args:
        store: The pairs.
        size: Voxels per axis; larger images are cropped at random, smaller ones
            padded with zeros outside the mask.
        batch_size: Pairs per batch, of all workers.
        seed: Any ints, such as the user's seed and the phase.
        first_step: The first step wanted, from 0.
        last_step: The step after the last one.
        labels_per_step: How many labels of a pair count at most, if the store has
            labels.
        worker: Which of the workers reads.
        num_workers: How many there are; the batch size is a multiple of it.

    Returns:
        A dataset of dicts: `fixed`, `moving`, `mask`, `(batch, *size, 1)`, float32;
        likewise `fixed_mask` and `moving_mask`, if any pair has one, and `fixed_labels`
        and `moving_labels`, with the `label_values` that count, `(batch, num_labels)`,
        0 for none; `POINTS`, if any pair has landmarks; `spacing`, `(batch, ndim)`,
        mm; `extent`, `(batch, ndim)`, int32, voxels that aren't padding; `step`,
        `(batch,)`.
    """
    images = (*_IMAGES, *store.masks, *store.labels)
    num_labels = min(labels_per_step, store.most_labels)
    draw = _sampler(store, images, size, num_labels, seed)
    rows = batch_size // num_workers
    numbers = tf.data.Dataset.range(first_step * rows, last_step * rows)
    shapes = dict.fromkeys(images, (*size, 1))
    shapes |= {"label_values": (num_labels,)} if store.labels else {}
    if num_points := store.most_points:
        coordinates = (num_points, len(size))
        places = (coordinates, coordinates, (num_points,))
        shapes |= dict(zip(POINTS, places, strict=True))
    shapes |= {"spacing": (len(size),), "extent": (len(size),)}

    def load(row: Any) -> Batch:
        step = row // rows
        number = step * batch_size + worker * rows + row % rows
        types = [tf.int32 if name == "extent" else tf.float32 for name in shapes]
        arrays = tf.numpy_function(draw, [number], types, stateful=False)
        batch = dict(zip(shapes, arrays, strict=True))
        for name, array in batch.items():
            array.set_shape(shapes[name])
        batch["step"] = step
        return batch

    return (
        numbers.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .batch(rows, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def pad_sample(sample: Sample, size: tuple[int, ...], num_points: int = 0) -> Batch:
    """One whole pair as a batch of its own, padded at the far ends to `size`.

    Its landmarks come with it if `num_points` is how many any pair has.
    """
    start = (0,) * len(size)
    there = [name for name in MASKS if getattr(sample, name) is not None]
    names = (*_IMAGES, *there)
    batch = {name: _fit(sample, name, start, size) for name in names}
    batch["spacing"] = sample.spacing
    if num_points:
        points = crop_points(sample, start, size, num_points)
        batch |= dict(zip(POINTS, points, strict=True))
    return {name: tf.constant(array[None]) for name, array in batch.items()}


def _sampler(
    store: PairStore,
    names: tuple[str, ...],
    size: tuple[int, ...],
    num_labels: int,
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
        arrays = [_fit(sample, name, start, size) for name in names]
        if store.labels:
            arrays.append(_choose_labels(sample, num_labels, rng))
        if store.most_points:
            arrays += crop_points(sample, start, size, store.most_points)
        extent = np.minimum(sample.shape, size).astype(np.int32)
        return (*arrays, sample.spacing, extent)

    return draw


def _choose_labels(
    sample: Sample, num_labels: int, rng: np.random.Generator
) -> np.ndarray:
    values = np.zeros(num_labels, np.float32)
    if sample.shared_labels is not None:
        chosen = rng.permutation(sample.shared_labels)[:num_labels]
        values[: len(chosen)] = chosen
    return values


def _fit(
    sample: Sample, name: str, start: tuple[int, ...], size: tuple[int, ...]
) -> np.ndarray:
    """Crops from `start` and pads with zeros behind; adds the channel axis."""
    array = getattr(sample, name)
    if array is None:  # what others have: without a mask all voxels count
        return np.full((*size, 1), float(name in MASKS), np.float32)
    window = tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))
    cropped = array[window]
    result = np.zeros((*size, 1), np.float32)
    result[..., 0][tuple(slice(0, n) for n in cropped.shape)] = cropped
    return result
