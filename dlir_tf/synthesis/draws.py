"""Random numbers that are the same under every backend, inside compiled functions too.

Keras takes no tensor for a seed, and each backend has generators of its own. A hash of
the seed and a counter needs nothing but integers of 32 bits.
"""

import math
from typing import Any

import numpy as np
from keras import ops

Tensor = Any
Bound = Any  # a number, or a tensor that can be broadcast to the shape drawn

_STEP = 0x9E3779B9  # 2^32 over the golden ratio: what tells streams apart
_TO_FLOAT = float(2.0**-24)


class Draws:
    """A sequence of random tensors that depends on a seed alone.

    Each call draws from a stream of its own, numbered in the order of the calls.

    Args:
        seed: Two whole numbers from 0 to 2**31 - 1, int32, `(2,)`; a tensor that is
            only known when a compiled function runs will do.

    Example:

    >>> first, again = Draws((3, 4)), Draws((3, 4))
    >>> bool(ops.all(first.uniform((5,)) == again.uniform((5,))))
    True
    """

    def __init__(self, seed: Any) -> None:
        key = ops.cast(ops.convert_to_tensor(seed), "uint32")
        self._key = _mixed(key[0] + _mixed(key[1] + _number(_STEP)))
        self._num_streams = 0

    def uniform(
        self, shape: tuple[int, ...], low: Bound = 0.0, high: Bound = 1.0
    ) -> Tensor:
        """Draws evenly from `low` to `high`, float32, `shape`."""
        bits = ops.right_shift(self._bits(shape), _number(8))
        return low + (high - low) * (ops.cast(bits, "float32") * _TO_FLOAT)

    def normal(self, shape: tuple[int, ...]) -> Tensor:
        """Draws from the normal distribution of variance one, float32, `shape`."""
        # Never the logarithm of zero.
        radius = ops.sqrt(-2.0 * ops.log(1.0 - self.uniform(shape)))
        return radius * ops.cos(2.0 * math.pi * self.uniform(shape))

    def happens(self, shape: tuple[int, ...], probability: float) -> Tensor:
        """Draws 1 with a probability, else 0; float32, `shape`."""
        return ops.cast(self.uniform(shape) < probability, "float32")

    def seed(self) -> Tensor:
        """Draws a seed for numbers of their own, int32, `(2,)`."""
        return ops.cast(ops.right_shift(self._bits((2,)), _number(1)), "int32")

    def _bits(self, shape: tuple[int, ...]) -> Tensor:
        self._num_streams += 1
        count = ops.cast(ops.arange(math.prod(shape), dtype="int32"), "uint32")
        stream = _mixed(self._key + _number(_STEP * self._num_streams))
        return ops.reshape(_mixed(_mixed(count + stream) + self._key), shape)


def _number(value: int) -> Any:
    return np.uint32(value & 0xFFFFFFFF)


def _mixed(bits: Tensor) -> Tensor:
    """A one-to-one map of 32 bits in which each bit changes about half of all.

    The finaliser of MurmurHash3 in the variant `lowbias32` of C. Wellons.
    """
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        bits = ops.bitwise_xor(bits, ops.right_shift(bits, _number(shift)))
        bits = bits * _number(factor)
    return ops.bitwise_xor(bits, ops.right_shift(bits, _number(16)))
