"""`dlir-tf info`."""

from pathlib import Path
from typing import Any

import click

from dlir_tf.cli.options import Command, ModelType


@click.command("info", cls=Command)
@click.argument("named", type=ModelType(), metavar="[MODEL]", required=False)
@click.option(
    "--model",
    type=ModelType(),
    metavar="MODEL",
    help="Model to describe, as MODEL without the option: the name of one that ships, "
    "a model folder or a .tflite file.",
)
@click.option("--preset", metavar="NAME", help="Preset to print, as YAML.")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Config file to print, all defaults written out.",
)
@click.option(
    "--pair",
    nargs=2,
    type=click.Path(path_type=Path),
    metavar="FIXED MOVING",
    help="Two images: the config that dlir-tf register chooses for them, as YAML, with "
    "what was chosen and why.",
)
@click.option(
    "--exportable",
    is_flag=True,
    help="Say instead whether what it describes can be exported as TFLite; before "
    "any training.",
)
def command(**options: Any) -> None:
    """Describe a model, or print a preset to start from.

    Without options, the models that ship with dlir-tf are listed, with what they were
    trained on and their licences, and the presets. What is printed of a model or a
    preset is a config for `dlir-tf train`, and so is what is chosen for a pair, which
    `dlir-tf register --preset FILE` takes as well.

    Example:
    dlir-tf info --preset cardiac-cine > my-config.yaml
    """
    from dlir_tf.cli.work.info import run

    run(**options)
