"""The options that refine a transform, or take refinement in the place of a model."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dlir_tf.config import Config

_OPTIONS = (
    click.option(
        "--refine",
        type=click.IntRange(min=1),
        metavar="N",
        help="From what the model says, at most N steps of gradient descent on this "
        "pair's own transform, by the same losses. Slower, and more accurate.",
    ),
    click.option(
        "--preset",
        metavar="NAME|FILE",
        help="Instead of a model: register by refinement alone, as a preset (see "
        "dlir-tf info) or a config file says, in as many steps as stand there or in "
        "--refine.",
    ),
)


def refinement_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds `--refine` and `--preset`; see `chosen_preset`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def chosen_preset(preset: str | None) -> "Config | None":
    """Returns the config that `--preset` names, if it was given.

    Raises:
        InputError: If a model was given as well, or there is no such config.
    """
    from dlir_tf.config import load_config
    from dlir_tf.errors import InputError

    if preset is None:
        return None
    source = click.get_current_context().get_parameter_source("model")
    if source not in (None, click.core.ParameterSource.DEFAULT):
        raise InputError(
            "--model and --preset exclude each other: a preset registers without a "
            "model; leave out one of them"
        )
    return load_config(preset)
