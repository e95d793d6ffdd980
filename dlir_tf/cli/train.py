"""`dlir-tf train`."""

from pathlib import Path
from typing import Any

import click

from dlir_tf.cli.options import (
    Command,
    ModelType,
    allow_elsewhere_option,
    channel_option,
    steps_option,
)


@click.command("train", cls=Command)
@click.option(
    "--config",
    default=None,
    metavar="PRESET|FILE",
    help="Preset name or YAML file. [default: demo without --pairs, needed with it]",
)
@click.option(
    "--pairs",
    type=click.Path(path_type=Path),
    help="CSV manifest: fixed,moving per line, or image per line for all ordered "
    "pairs; optional columns fixed_labels, moving_labels, fixed_points, "
    "moving_points, fixed_mask, moving_mask (or labels, points, mask). Without it, "
    "pairs are made: synthetic ones if the config's training.synthesis says how, else "
    "phantoms.",
)
@click.option(
    "--validation",
    type=click.Path(path_type=Path),
    help="CSV manifest of pairs that decide which weights are kept.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("model"),
    show_default=True,
    help="Model folder to make.",
)
@click.option(
    "--initial-weights",
    type=ModelType(),
    metavar="MODEL",
    help="Model to begin with, a folder or the name of one that ships; its stages are "
    "those of the config, or the first of them, if further ones are like its last.  "
    "[default: random weights]",
)
@click.option(
    "--atlases",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Label images that synthetic pairs show, beside random shapes.",
)
@channel_option
@steps_option
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Decides initial weights, order, augmentation, and which phantoms are made.",
)
@click.option(
    "--resume", is_flag=True, help="Go on with the interrupted training in --output."
)
@click.option(
    "--mixed-precision",
    is_flag=True,
    help="Convolutions in half precision; faster on recent GPUs.",
)
@click.option(
    "--alone",
    is_flag=True,
    help="Train in this process alone, whatever TF_CONFIG or SLURM's variables say of "
    "others that train with it.",
)
@allow_elsewhere_option
def command(**options: Any) -> None:
    """Train a model on pairs of images, without ground truth.

    Stage by stage, and all pairs are checked before the first step. An interrupted
    training goes on with --resume and the same options. Masks in the manifests say
    what counts in the similarity; labels give the Dice of the validation. They, and
    landmarks, are trained on only where the config's training.supervision says so.

    Several machines train one model together where TF_CONFIG or a step of SLURM names
    them: each runs the same command, and the first one writes the model.

    Example:
    dlir-tf train --config cardiac-cine --pairs train.csv --validation val.csv
    """
    from dlir_tf.cli.work.train import run

    run(**options)
