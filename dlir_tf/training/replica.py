"""The part of a batch that one device trains on, and that part's random numbers."""

from typing import Any, NamedTuple

import tensorflow as tf


class Replica(NamedTuple):
    """One of the devices that share a batch.

    What is drawn for a pair doesn't depend on how many they are, so that two devices
    train like one with twice the batch: all of them draw for the whole batch, and each
    keeps its own rows.

    Attributes:
        index: Its number, in the order of their rows; an int or a tensor.
        num: How many there are.
    """

    index: Any = 0
    num: int = 1

    def uniform(
        self, shape: Any, seed: Any, low: float = 0.0, high: float = 1.0
    ) -> Any:
        """Returns uniform numbers for this part of a batch.

        Args:
            shape: Of the part, rows first.
            seed: Two ints, the same ones on all devices.
            low: The smallest number.
            high: The end, which isn't reached.
        """
        whole = self._whole(shape)
        return self._own(tf.random.stateless_uniform(whole, seed, low, high), shape)

    def normal(self, shape: Any, seed: Any) -> Any:
        """Returns normal numbers for this part of a batch, likewise."""
        return self._own(tf.random.stateless_normal(self._whole(shape), seed), shape)

    def _whole(self, shape: Any) -> Any:
        if self.num == 1:
            return shape
        others = shape[1:] if isinstance(shape, tuple) else tf.unstack(shape[1:])
        return (shape[0] * self.num, *others)

    def _own(self, drawn: Any, shape: Any) -> Any:
        if self.num == 1:
            return drawn
        first = self.index * shape[0]
        return tf.reshape(drawn[first : first + shape[0]], shape)


ALONE = Replica()
