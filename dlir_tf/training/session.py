"""The run of a training: phases, their steps, and what is kept of them."""

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dlir_tf.files import make_folder
from dlir_tf.models.folder import (
    Model,
    make_model,
    save_model,
    save_weights,
    write_config,
)
from dlir_tf.models.folder_files import CHECKPOINT_FILE, LAST_WEIGHTS_FILE, LOG_FILE
from dlir_tf.models.model import build_model
from dlir_tf.training.checkpoint import (
    Arrays,
    Checkpoint,
    Progress,
    damaged,
    save_checkpoint,
)
from dlir_tf.training.devices import precision
from dlir_tf.training.log import TrainingLog
from dlir_tf.training.losses import StepLosses, check_finite
from dlir_tf.training.patches import batch_size_in_voxels
from dlir_tf.training.phases import Phase
from dlir_tf.training.pipeline import training_batches
from dlir_tf.training.recipe import Recipe
from dlir_tf.training.reporter import Reporter
from dlir_tf.training.step import make_optimizer, make_train_step
from dlir_tf.training.store import PairStore
from dlir_tf.training.validation import Validator


class Session:
    """One run of a training, from its beginning or from a checkpoint.

    Args:
        recipe: What to do.
        output: The model folder.
        store: The training pairs, filled.
        validation: Likewise; may be empty.
        strategy: The devices.
        reporter: Who is told how it goes.
    """

    def __init__(
        self,
        recipe: Recipe,
        output: Path,
        store: PairStore,
        validation: PairStore,
        strategy: tf.distribute.Strategy,
        reporter: Reporter,
    ) -> None:
        self._recipe = recipe
        self._config = recipe.config
        self._output = output
        self._store = store
        self._validation = validation
        self._reporter = reporter
        self._strategy = strategy
        keras.utils.set_random_seed(recipe.seed)
        with self._strategy.scope(), precision(recipe.precision):
            self._network = build_model(recipe.config)

    def begin(self, stored: Checkpoint | None) -> None:
        """Takes up a checkpoint, or makes the first one, and the files beside it."""
        weights = self._weights()
        first = Progress(0, 0, math.inf, 0, 0.0, self._recipe.identity)
        self._state = stored or Checkpoint(first, weights, best=weights)
        self._check_shapes(weights)
        self._network.set_weights(self._state.weights)
        make_folder(self._output)
        # Before all other files: whatever is interrupted from here on can go on.
        save_checkpoint(self._output / CHECKPOINT_FILE, self._state)
        write_config(self._output, self._config)
        self._log = TrainingLog(self._output / LOG_FILE, self._output / "tensorboard")
        names = [phase.name for phase in self._recipe.phases]
        progress = self._state.progress
        self._log.keep_until(names, progress.phase, progress.step)

    def _check_shapes(self, weights: Arrays) -> None:
        """Refuses a checkpoint whose arrays aren't of this network and its phase."""
        state = self._state
        shapes = [array.shape for array in weights]
        for arrays in (state.weights, state.best):
            if [array.shape for array in arrays] != shapes:
                raise damaged(
                    self._output / CHECKPOINT_FILE, "its weights aren't this network's"
                )

    def run(self) -> Model:
        """Trains the phases that are left and writes the model folder."""
        last = None
        for index in range(self._state.progress.phase, len(self._recipe.phases)):
            self._run_phase(index)
            last = self._finish_phase(index)
        with precision("float32"):
            network = build_model(self._config)
        if last is not None:
            network.set_weights(last)
            save_weights(self._output / LAST_WEIGHTS_FILE, network)
        network.set_weights(self._state.weights)
        provenance = self._recipe.provenance(
            len(self._store), len(self._validation), self._state.progress.seconds
        )
        model = make_model(self._config, network, provenance)
        save_model(self._output, model)
        (self._output / CHECKPOINT_FILE).unlink(missing_ok=True)
        self._log.close()
        self._store.discard()
        self._validation.discard()
        return model

    def _run_phase(self, index: int) -> None:
        phase, config = self._recipe.phases[index], self._config
        with self._strategy.scope():
            num_replicas = self._strategy.num_replicas_in_sync
            optimizer = make_optimizer(self._recipe.precision, num_replicas)
            train_step = make_train_step(
                self._network,
                config,
                phase,
                optimizer,
                self._strategy,
                self._recipe.seed,
            )
        if self._state.optimizer:
            self._restore(optimizer)
        validate = self._validator(phase)
        losses = StepLosses(phase, self._reporter)
        started = time.perf_counter() - self._state.progress.seconds
        first = self._state.progress.step + 1
        for step, batch in enumerate(self._batches(index), start=first):
            learning_rate = phase.learning_rate_at(step - 1)
            optimizer.learning_rate = learning_rate
            losses.add(step, train_step(batch))
            if step % config.training.validate_every and step != phase.steps:
                continue
            row = {**losses.take_means(), "learning_rate": learning_rate, **validate()}
            row["seconds"] = time.perf_counter() - started
            self._state = self._state_after(phase, step, row, optimizer)
            self._log.write(phase.name, step, row)
            self._reporter.logged(phase.name, step, row)
            save_checkpoint(self._output / CHECKPOINT_FILE, self._state)

    def _restore(self, optimizer: keras.Optimizer) -> None:
        state = self._state.optimizer
        if [v.shape for v in optimizer.variables] != [array.shape for array in state]:
            raise damaged(
                self._output / CHECKPOINT_FILE, "its optimizer isn't this training's"
            )
        for variable, value in zip(optimizer.variables, state, strict=True):
            variable.assign(value)

    def _finish_phase(self, index: int) -> Arrays | None:
        """Goes back to the phase's best weights, which the next one builds on.

        Returns:
            The weights after its last step, if they aren't the best ones.
        """
        last, best = self._state.weights, self._state.best
        self._network.set_weights(best)
        best_is_last = self._state.progress.best_step == self._state.progress.step
        progress = replace(
            self._state.progress,
            phase=index + 1,
            step=0,
            best_loss=math.inf,
            best_step=0,
        )
        self._state = Checkpoint(progress, best, best)
        return None if best_is_last else last

    def _state_after(
        self, phase: Phase, step: int, row: dict[str, float], optimizer: Any
    ) -> Checkpoint:
        weights = self._weights()
        progress = replace(self._state.progress, step=step, seconds=row["seconds"])
        best, loss = self._state.best, row.get("validation_loss")
        if loss is not None:
            check_finite(phase, step, "validation loss", loss)
        # Without validation every row counts as better than the one before.
        if loss is None or loss < progress.best_loss:
            best, best_loss = weights, math.inf if loss is None else loss
            progress = replace(progress, best_loss=best_loss, best_step=step)
        state = [np.asarray(variable) for variable in optimizer.variables]
        return Checkpoint(progress, weights, best, state)

    def _batches(self, index: int) -> Any:
        phase, config = self._recipe.phases[index], self._config
        dataset = training_batches(
            self._store,
            size=batch_size_in_voxels(config, phase, self._store.largest_shape),
            batch_size=config.training.batch_size * self._strategy.num_replicas_in_sync,
            seed=(self._recipe.seed, index),
            first_step=self._state.progress.step,
            last_step=phase.steps,
            labels_per_step=config.training.supervision.labels_per_step,
        )
        return self._strategy.experimental_distribute_dataset(dataset)

    def _validator(self, phase: Phase) -> Callable[[], dict[str, float]]:
        if not len(self._validation):
            return dict
        return Validator(
            self._network, self._config, phase.num_stages, self._validation
        )

    def _weights(self) -> list[np.ndarray]:
        return [np.array(weight) for weight in self._network.get_weights()]
