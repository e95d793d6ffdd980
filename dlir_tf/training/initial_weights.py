"""Weights that a training begins with: those of another model."""

from typing import Any

from dlir_tf.config import Config
from dlir_tf.errors import InputError

# What of a stage says how it is trained, and nothing of its network.
_OF_TRAINING = {
    "steps",
    "learning_rate",
    "bending_energy",
    "folding_penalty",
}


def check_stages(config: Config, initial: Config, source: str) -> None:
    """Refuses weights of other networks than a config's.

    Args:
        config: What is to be trained.
        initial: What the weights are of.
        source: Where they come from, for messages.

    Raises:
        InputError: If the networks differ.
    """
    difference = _first_difference(config, initial)
    if difference is not None:
        place, ours, theirs = difference
        raise InputError(
            f"{source}: its weights don't fit, since {place} is {theirs} there and "
            f"{ours} in the config; give the training the same stages, or choose "
            "other initial weights"
        )


def _first_difference(config: Config, initial: Config) -> tuple[str, Any, Any] | None:
    """Where two configs ask for different networks, and what each asks for."""
    if config.ndim != initial.ndim:
        return "ndim", config.ndim, initial.ndim
    counts = len(config.stages), len(initial.stages)
    if counts[0] != counts[1]:
        return "the number of stages", *counts
    for index, stages in enumerate(zip(config.stages, initial.stages, strict=True)):
        ours, theirs = (s.model_dump(mode="json", exclude=_OF_TRAINING) for s in stages)
        for key in ("transform", *ours):
            if ours[key] != theirs.get(key):
                return f"stages[{index}].{key}", ours[key], theirs.get(key)
    return None
