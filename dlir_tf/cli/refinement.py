"""The options that refine a transform, or take refinement in the place of a model."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from dlir_tf.cli.options import FILE

if TYPE_CHECKING:
    from dlir_tf.config import Config

_OPTIONS = (
    click.option(
        "--refine",
        type=click.IntRange(min=0),
        metavar="N",
        help="From what the model says, at most N steps of gradient descent on this "
        "pair's own transform, by the same losses. Slower, and more accurate. 0: none; "
        "without a model, one shot of the general model that ships.",
    ),
    click.option(
        "--preset",
        metavar="NAME|FILE",
        help="Instead of a model: register by refinement alone, as a preset (see "
        "dlir-tf info) or a config file says, in as many steps as stand there or in "
        "--refine.",
    ),
)


_KNOWLEDGE = (
    click.option(
        "--fixed-points",
        type=FILE,
        help="Landmarks of FIXED that correspond, by their order, to those of "
        "--moving-points: a CSV file (x,y,z in world mm, RAS) or markups of 3D Slicer. "
        "A refinement brings them together as well.",
    ),
    click.option("--moving-points", type=FILE, help="Landmarks of MOVING."),
    click.option(
        "--points-weight",
        type=float,
        help="What 1 mm of their mean distance adds to the loss.  [default: 0.1]",
    ),
    click.option(
        "--fixed-labels",
        type=FILE,
        help="Labels of FIXED: a refinement brings their outlines onto those of "
        "--labels as well.",
    ),
    click.option(
        "--labels-weight",
        type=float,
        help="What outlines add to the loss that lie about a tenth of the image apart."
        "  [default: 1]",
    ),
    click.option(
        "--stiffness",
        type=float,
        default=1.0,
        show_default=True,
        help="What the smoothness of a refinement's stages is multiplied by.",
    ),
)


def knowledge_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds what a refinement goes by beside the images."""
    for option in reversed(_KNOWLEDGE):
        command = option(command)
    return command


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
