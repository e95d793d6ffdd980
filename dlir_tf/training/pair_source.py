"""Training on pairs of images, which tf.data reads and cuts."""

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from dlir_tf.config import Config
from dlir_tf.pairs.manifest import Pair
from dlir_tf.training.patches import batch_size_in_voxels
from dlir_tf.training.phases import Phase
from dlir_tf.training.pipeline import training_batches
from dlir_tf.training.sights import Sights
from dlir_tf.training.step import make_train_step
from dlir_tf.training.store import PairStore
from dlir_tf.training.validation import Validator
from dlir_tf.training.workers import Workers


class PairSource:
    """What a training on pairs takes its steps and its validation from.

    Args:
        config: Its config.
        seed: Decides order and augmentation.
        store: The training pairs, filled.
        validation: Likewise; may be empty.
        workers: Who trains; with a strategy.
    """

    def __init__(
        self,
        config: Config,
        seed: int,
        store: PairStore,
        validation: PairStore,
        workers: Workers,
    ) -> None:
        if workers.strategy is None:
            raise ValueError("workers: must have a strategy")
        self._config = config
        self._seed = seed
        self._store = store
        self._validation = validation
        self._workers = workers
        self._strategy = workers.strategy
        self.num_pairs = len(store)
        self.validation_names: Sequence[str] = [
            _title(pair) for pair in validation.pairs
        ]

    def scope(self) -> contextlib.AbstractContextManager[Any]:
        """Within it, networks and optimizers are made."""
        scope: contextlib.AbstractContextManager[Any] = self._strategy.scope()
        return scope

    def steps(
        self,
        network: keras.Model,
        phase: Phase,
        optimizer: keras.Optimizer,
        index: int,
        first_step: int,
    ) -> Iterator[Callable[[], dict[str, Any]]]:
        """Yields the steps that are left of a phase, each to be called once."""
        with self.scope():
            train_step = make_train_step(
                network, self._config, phase, optimizer, self._strategy, self._seed
            )
        training = self._config.training
        dataset = training_batches(
            self._store,
            size=batch_size_in_voxels(self._config, phase, self._store.largest_shape),
            batch_size=training.batch_size * self._workers.num_replicas,
            seed=(self._seed, index),
            first_step=first_step,
            last_step=phase.steps,
            labels_per_step=training.supervision.labels_per_step,
            worker=self._workers.index,
            num_workers=self._workers.num,
        )
        for batch in self._distributed(dataset):
            yield functools.partial(train_step, batch)

    def _distributed(self, dataset: tf.data.Dataset) -> Any:
        """This worker's part of the batches, divided among its devices."""
        if self._workers.num == 1:
            return self._strategy.experimental_distribute_dataset(dataset)
        # That would have every worker take its part of what is a part already.
        if self._workers.num_replicas > self._workers.num:
            size = self._config.training.batch_size
            dataset = dataset.unbatch().batch(size, drop_remainder=True)
            dataset = dataset.prefetch(tf.data.AUTOTUNE)
        return self._strategy.distribute_datasets_from_function(lambda context: dataset)

    def validator(
        self, network: keras.Model, phase: Phase
    ) -> Callable[[Sights], dict[str, float]]:
        """Returns a function that judges the network by the validation pairs."""
        if not len(self._validation):
            return lambda sights: {}
        return Validator(
            network, self._config, phase.num_stages, self._validation, self._workers
        )

    def close(self) -> None:
        """Removes from the disk what was cached there."""
        self._store.discard()
        self._validation.discard()


def _title(pair: Pair) -> str:
    """What a pair is called on a page; files of different pairs may have one name."""
    place = Path(pair.place).name  # of the manifest, and the line in it
    return f"{pair.moving.name} to {pair.fixed.name} ({place})"
