"""`dlir-tf info`."""

from pathlib import Path
from typing import Any

import click

from dlir_tf.cli.options import Command


@click.command("info", cls=Command)
@click.option(
    "--model",
    type=click.Path(path_type=Path),
    metavar="MODEL",
    help="Model folder or .tflite file to describe.",
)
@click.option("--preset", metavar="NAME", help="Preset to print, as YAML.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Config file to print, all defaults written out.",
)
@click.option(
    "--exportable",
    is_flag=True,
    help="Say instead whether what it describes can be exported as TFLite; before "
    "any training.",
)
def command(**options: Any) -> None:
    """Describe a model, or print a preset to start from.

    Without options, the presets are listed. What is printed of a model or a preset
    is a config for `dlir-tf train`.

    Example:
    dlir-tf info --preset cardiac-cine > my-config.yaml
    """
    from dlir_tf.cli.work.info import run

    run(**options)
