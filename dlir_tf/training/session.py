"""The run of a training: phases, their steps, and what is kept of them."""

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

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
from dlir_tf.training.log import TrainingLog
from dlir_tf.training.losses import StepLosses, check_finite
from dlir_tf.training.optimizer import make_optimizer, precision
from dlir_tf.training.phases import Phase
from dlir_tf.training.recipe import Recipe
from dlir_tf.training.reporter import Reporter
from dlir_tf.training.show import Show
from dlir_tf.training.sights import Sights
from dlir_tf.training.source import Source
from dlir_tf.training.workers import Workers


class Session:
    """One run of a training, from its beginning or from a checkpoint.

    Args:
        recipe: What to do.
        output: The model folder.
        source: Of its steps and its validation.
        reporter: Who is told how it goes.
        initial: The weights to begin with, of all networks; random ones by default.
        workers: Who trains; each does the same, but only the chief writes.
    """

    def __init__(
        self,
        recipe: Recipe,
        output: Path,
        source: Source,
        reporter: Reporter,
        initial: Arrays | None = None,
        workers: Workers | None = None,
    ) -> None:
        self._workers = workers or Workers()
        self._log: TrainingLog | None = None
        self._sights = Sights(len(source.validation_names), self._workers)
        self._recipe = recipe
        self._config = recipe.config
        self._output = output
        self._source = source
        self._reporter = reporter
        keras.utils.set_random_seed(recipe.seed)
        with source.scope(), precision(recipe.precision):
            self._network = build_model(recipe.config)
        if initial is not None:
            self._network.set_weights(initial)

    def begin(self, stored: Checkpoint | None) -> None:
        """Takes up a checkpoint, or makes the first one, and the files beside it."""
        weights = self._weights()
        first = Progress(0, 0, math.inf, 0, 0.0, self._recipe.identity)
        self._state = stored or Checkpoint(first, weights, best=weights)
        self._check_shapes(weights)
        self._network.set_weights(self._state.weights)
        if not self._workers.is_chief:
            return
        make_folder(self._output)
        # Before all other files: whatever is interrupted from here on can go on.
        save_checkpoint(self._output / CHECKPOINT_FILE, self._state)
        write_config(self._output, self._config)
        self._log = TrainingLog(self._output / LOG_FILE, self._output / "tensorboard")
        names = [phase.name for phase in self._recipe.phases]
        progress = self._state.progress
        self._log.keep_until(names, progress.phase, progress.step)
        self._show = Show(
            self._output, self._log, self._recipe.phases, self._source.validation_names
        )

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
            if self._workers.is_chief:
                save_weights(self._output / LAST_WEIGHTS_FILE, network)
        network.set_weights(self._state.weights)
        provenance = self._recipe.provenance(
            self._source.num_pairs,
            len(self._source.validation_names),
            self._state.progress.seconds,
        )
        model = make_model(self._config, network, provenance)
        if self._log is not None:
            self._show.finish()
            save_model(self._output, model)
            (self._output / CHECKPOINT_FILE).unlink(missing_ok=True)
            self._log.close()
        self._source.close()
        self._workers.part()
        return model

    def _run_phase(self, index: int) -> None:
        phase, config = self._recipe.phases[index], self._config
        first = self._state.progress.step
        with self._source.scope():
            optimizer = make_optimizer(
                self._recipe.precision, self._recipe.num_replicas
            )
        steps = self._source.steps(self._network, phase, optimizer, index, first)
        validate = self._source.validator(self._network, phase)
        losses = StepLosses(phase, self._reporter)
        started = time.perf_counter() - self._state.progress.seconds
        for step, descend in enumerate(steps, start=first + 1):
            if step == first + 1 and self._state.optimizer:
                self._restore(optimizer)
            learning_rate = phase.learning_rate_at(step - 1)
            optimizer.learning_rate = learning_rate
            losses.add(step, descend())
            if step % config.training.validate_every and step != phase.steps:
                continue
            sights = self._sights.anew()
            row = {**losses.take_means(), "learning_rate": learning_rate}
            row |= validate(sights)
            row["seconds"] = time.perf_counter() - started
            self._state = self._state_after(phase, step, row, optimizer)
            if self._log is not None:
                self._log.write(phase.name, step, row)
                is_best = self._state.progress.best_step == step
                self._show.validated(index, step, sights, is_best=is_best)
            self._reporter.logged(phase.name, step, row)
            if self._log is not None:
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

    def _weights(self) -> list[np.ndarray]:
        return [np.array(weight) for weight in self._network.get_weights()]
