"""Clipping and scaling to [0, 1], as `preprocessing.scale_intensities` does it."""

from typing import Any

import tensorflow as tf

from dlir_tf.config import Intensity
from dlir_tf.export.graph.checks import require

Tensor = Any

# The digits that order statistics are found by: of a 32-bit key, from the highest.
_DIGITS = ((21, 11), (10, 11), (0, 10))


def scale_intensities(
    image: Tensor, intensity: Intensity, name: str, pair: Tensor
) -> Tensor:
    """Clips and scales an image to [0, 1]; constant images fail.

    Args:
        image: Any shape, float32, finite.
        intensity: The config's limits.
        name: Of the image, for the sentence.
        pair: Its number within the batch, likewise.
    """
    low, high = _limits(image, intensity)
    clipped = tf.clip_by_value(image, low, high)
    check = require(
        tf.reduce_min(clipped) < tf.reduce_max(clipped),
        f"the {name} image is constant within the model's intensity limits: there is "
        "nothing to register",
        pair,
    )
    with tf.control_dependencies([check]):
        return (clipped - low) / (high - low)


def _limits(image: Tensor, intensity: Intensity) -> tuple[Tensor, Tensor]:
    if intensity.clip_values is not None:
        low, high = intensity.clip_values
        return tf.constant(low, tf.float32), tf.constant(high, tf.float32)
    whole = tf.reduce_min(image), tf.reduce_max(image)
    if intensity.clip_percentiles is None:
        return whole
    low, high = percentiles(image, intensity.clip_percentiles)
    # Percentiles miss a small bright object on a wide background.
    wide = high > low
    return tf.where(wide, low, whole[0]), tf.where(wide, high, whole[1])


def percentiles(image: Tensor, percents: tuple[float, ...]) -> list[Tensor]:
    """Percentiles with linear interpolation, as `np.percentile` has them.

    Found digit by digit in histograms, which takes a few passes over the image; sorting
    it takes a hundred.

    Args:
        image: Any shape, float32, finite.
        percents: From 0 to 100.
    """
    keys = _ordered_keys(tf.reshape(image, [-1]))
    last = tf.cast(tf.size(keys) - 1, tf.float64)
    results = []
    for percent in percents:
        position = last * (percent / 100)
        below = tf.floor(position)
        low, high = _neighbours(keys, tf.cast(below, tf.int32))
        fraction = position - below
        between = tf.cast(low, tf.float64) * (1 - fraction)
        between += tf.cast(high, tf.float64) * fraction
        results.append(tf.cast(between, tf.float32))
    return results


def _neighbours(keys: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    """Finds the value that is at a place of the sorted voxels, and the one after it."""
    key, num_up_to = _select(keys, rank)
    larger = tf.reduce_min(tf.where(keys > key, keys, tf.int32.max))
    no_next = (rank + 1 < num_up_to) | (num_up_to >= tf.size(keys))
    return _values(key), _values(tf.where(no_next, key, larger))


def _select(keys: Tensor, rank: Tensor) -> tuple[Tensor, Tensor]:
    """Finds the key at a place of the sorted keys, and how many aren't above it."""
    prefix, num_below = tf.zeros([], tf.int32), tf.zeros([], tf.int32)
    count = num_below
    for shift, bits in _DIGITS:
        digits = tf.bitwise.right_shift(keys, shift)
        if shift + bits == 32:
            chosen = digits + 2 ** (bits - 1)
        else:
            # Keys that begin otherwise are counted where nobody looks.
            others = tf.bitwise.right_shift(digits, bits)
            own = tf.bitwise.bitwise_and(digits, 2**bits - 1)
            chosen = tf.where(tf.equal(others, prefix), own, 2**bits)
        counts = tf.math.bincount(chosen, minlength=2**bits + 1, maxlength=2**bits + 1)
        up_to = num_below + tf.cumsum(counts[:-1])
        digit = tf.reduce_sum(tf.cast(up_to <= rank, tf.int32))
        count = counts[digit]
        num_below = up_to[digit] - count
        first = shift + bits == 32
        prefix = digit - 2 ** (bits - 1) if first else prefix * 2**bits + digit
    return prefix, num_below + count


def _ordered_keys(values: Tensor) -> Tensor:
    """Integers in the order of the floats that they are made of."""
    return _swap_negative(tf.bitcast(values, tf.int32))


def _values(keys: Tensor) -> Tensor:
    return tf.bitcast(_swap_negative(keys), tf.float32)


def _swap_negative(bits: Tensor) -> Tensor:
    """Floats below zero are stored by their size: turns them around, or back."""
    return tf.where(bits < 0, tf.bitwise.bitwise_xor(bits, 0x7FFFFFFF), bits)
