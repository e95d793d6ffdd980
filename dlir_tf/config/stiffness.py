"""How smooth the stages of a config are, as a whole."""

import math

from dlir_tf.config.schema import Config
from dlir_tf.config.stages import Stage
from dlir_tf.errors import InputError


def stiffened(config: Config, factor: float) -> Config:
    """A config with all its deformable stages so many times as smooth.

    Args:
        config: With stages of networks, of its refinement, or both.
        factor: What their bending energy is multiplied by.

    Raises:
        InputError: If the factor is no number from 0 on, or no stage can bend.
    """
    if not (math.isfinite(factor) and factor >= 0):
        raise InputError(f"stiffness: must be a number from 0 on. Received: {factor}")
    if factor == 1:
        return config
    every = (*config.stages, *config.refinement.stages)
    if all(getattr(stage, "bending_energy", None) is None for stage in every):
        raise InputError(
            "stiffness: is for stages that can bend, of which the config has none; "
            "leave it out"
        )
    own = tuple(_stiff(stage, factor) for stage in config.refinement.stages)
    refinement = config.refinement.model_copy(update={"stages": own})
    stages = tuple(_stiff(stage, factor) for stage in config.stages)
    return config.model_copy(update={"stages": stages, "refinement": refinement})


def _stiff(stage: Stage, factor: float) -> Stage:
    energy = getattr(stage, "bending_energy", None)  # of those that can bend
    if energy is None:
        return stage
    return stage.model_copy(update={"bending_energy": factor * energy})
