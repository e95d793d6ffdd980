"""`dlir-tf export`."""

from pathlib import Path
from typing import Any

import click

from dlir_tf.cli.export_tflite import tflite_options
from dlir_tf.cli.options import Command, OneOf, model_option


@click.command("export", cls=Command)
@model_option
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder of all exported models, made if it isn't there; for tflite, the file. "
    "[default: export; model.tflite]",
)
@click.option(
    "--format",
    "file_format",
    type=OneOf(["savedmodel", "tflite"]),
    required=True,
    help="savedmodel: for TensorFlow Serving and whatever else runs TensorFlow. "
    "tflite: one file for LiteRT, which needs no TensorFlow.",
)
@click.option(
    "--name",
    default="dlir",
    show_default=True,
    help="The model's name for the server.",
)
@click.option(
    "--version",
    type=click.IntRange(1, 2**63 - 1),
    default=1,
    show_default=True,
    help="The version; a server takes the highest one.",
)
@click.option(
    "--xla",
    is_flag=True,
    help="Compile the transforms by XLA: two or three times as fast, but the server "
    "must have XLA.",
)
@click.option(
    "--max-voxels",
    type=click.IntRange(1, 2**31 - 1),
    help="The most voxels that the working grid of a request may have, for savedmodel: "
    "a limit on the server's memory.  [default: 134217728, 512 along each axis]",
)
@tflite_options
def command(**options: Any) -> None:
    """Export a model for serving outside Python.

    Writes OUTPUT/NAME/VERSION, the folder that TensorFlow Serving expects, with a
    model_card.md that says how to call it; or one .tflite file. The SavedModel takes
    images as they were stored, with their affines. What is exported is loaded in a
    fresh process, without dlir-tf, and compared with dlir-tf's own results; if they
    differ, nothing is written.

    Example:
    dlir-tf export --model model --output export --format savedmodel
    """
    from dlir_tf.cli.work.export import run

    run(**options)
