"""Where a training's steps come from."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import keras

from dlir_tf.training.phases import Phase
from dlir_tf.training.sights import Sights


class Source(Protocol):
    """Pairs that are given (`PairSource`) or made (`SyntheticSource`).

    Attributes:
        num_pairs: How many are given to train on.
        validation_names: What the pairs are called that it validates by.
    """

    num_pairs: int
    validation_names: Sequence[str]

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Within it, networks and optimizers are made."""

    def steps(
        self,
        network: keras.Model,
        phase: Phase,
        optimizer: keras.Optimizer,
        index: int,
        first_step: int,
    ) -> Iterator[Callable[[], dict[str, Any]]]:
        """Yields the steps that are left of a phase, each to be called once.

        The optimizer is built before the first one comes.
        """

    def validator(
        self, network: keras.Model, phase: Phase
    ) -> Callable[[Sights], dict[str, float]]:
        """Returns a function that judges the network; its answer may be empty.

        It fills what it's called with by what there is to see.
        """

    def close(self) -> None:
        """Leaves nothing behind."""
