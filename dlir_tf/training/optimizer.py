"""What descends, on which variables, in which precision; under any backend."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras

from dlir_tf.config import Config
from dlir_tf.training.phases import Phase


def make_optimizer(precision: str, num_replicas: int = 1) -> keras.Optimizer:
    """Adam; with loss scaling where gradients are float16.

    It clips what each replica hands over, and then sums it; so each hands over its
    share of the common gradient (see `dlir_tf.training.step.make_train_step`).
    """
    optimizer = keras.optimizers.Adam(global_clipnorm=1.0 / num_replicas)
    if precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def trainable_variables(network: keras.Model, config: Config, phase: Phase) -> Any:
    """The variables that a phase trains."""
    names = config.network_names[phase.num_frozen : phase.num_stages]
    stages = [network.get_layer(name) for name in names]
    return [variable for stage in stages for variable in stage.trainable_variables]


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Builds the networks inside the block with this dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
