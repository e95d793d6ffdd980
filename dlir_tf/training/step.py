"""One training step: augment, register, compare, descend."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from dlir_tf.config import Config
from dlir_tf.models.model import training_model
from dlir_tf.models.objective import Objective
from dlir_tf.training.augmentation import augment
from dlir_tf.training.optimizer import trainable_variables
from dlir_tf.training.patches import AlignedPatches, patch_size
from dlir_tf.training.phases import Phase
from dlir_tf.training.replica import Replica

Batch = dict[str, Any]


def make_train_step(
    network: keras.Model,
    config: Config,
    phase: Phase,
    optimizer: keras.Optimizer,
    strategy: tf.distribute.Strategy,
    seed: int,
) -> Callable[[Batch], dict[str, Any]]:
    """Returns a compiled function: batch -> mean losses, after one update.

    The convolutions run as a plain graph; only the transform layers are compiled
    by XLA (see `dlir_tf.compute.compilation`).
    """
    size, cut = patch_size(config, phase), None
    num_linear = len(config.linear_stages)
    if size is not None and num_linear:
        cut = AlignedPatches(network, config, size)
    model = training_model(
        network,
        config,
        phase.num_frozen,
        phase.num_stages,
        first=num_linear if cut else 0,
    )
    objective = Objective(config, config.stages[phase.num_stages - 1].downsample)
    variables = trainable_variables(network, config, phase)
    optimizer.build(variables)
    phase_seed = _phase_seed(seed, phase)
    num_replicas = strategy.num_replicas_in_sync

    def replica_step(batch: Batch) -> dict[str, Any]:
        context = tf.distribute.get_replica_context()
        replica = Replica(context.replica_id_in_sync_group, num_replicas)
        changed = _changed(batch, config, cut, phase_seed, replica)
        inputs = {name: changed[name] for name in ("fixed", "moving", "spacing")}
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in variables])
            outputs = model(inputs, training=True)
            values = {
                name: tf.reduce_mean(value)
                for name, value in objective(changed, outputs).items()
            }
            loss = optimizer.scale_loss(values["loss"] / num_replicas)
        gradients = tape.gradient(loss, variables)
        if num_replicas > 1:
            gradients = context.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return values

    @tf.function(autograph=False)
    def train_step(batch: Batch) -> dict[str, Any]:
        values = strategy.run(replica_step, args=(dict(batch),))
        return {
            name: strategy.reduce(tf.distribute.ReduceOp.MEAN, value, axis=None)
            for name, value in values.items()
        }

    return train_step


def _changed(
    batch: Batch,
    config: Config,
    cut: AlignedPatches | None,
    phase_seed: np.ndarray,
    replica: Replica,
) -> Batch:
    """A batch as its step shows it: changed at random, and cut into patches."""
    step_seed = tf.random.fold_in(phase_seed, batch.pop("step")[0])
    # Once of a device; it's the replica that knows its own part of what is drawn.
    step_seed = tf.random.fold_in(step_seed, 0)
    seeds = tf.unstack(tf.random.split(step_seed, 2))
    changed = augment(
        batch, config.training.augmentation, seeds[0], config.coarsest_lattice, replica
    )
    return changed if cut is None else cut(changed, seeds[1], replica)


def _phase_seed(seed: int, phase: Phase) -> np.ndarray:
    """Two ints of 31 bits; phases see different changes, also of the same seed."""
    entropy = (seed, phase.num_frozen, phase.num_stages)
    return (np.random.SeedSequence(entropy).generate_state(2) >> 1).astype(np.int32)
