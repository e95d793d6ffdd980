"""`dlir-tf export --format tflite`."""

from collections.abc import Callable
from typing import Any

import click

PRECISIONS = ("float32", "float16", "int8")


def tflite_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that only this format has; `None` where they aren't given."""
    shape = click.option(
        "--shape",
        metavar="N,N,N",
        help="tflite: voxels per axis of the working grid, such as 160,192,160; "
        "smaller images are padded to it, larger ones can't be registered.",
    )
    precision = click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        help="tflite: of the weights; int8 takes a quarter of the room.  "
        "[default: float32]",
    )
    return shape(precision(command))
