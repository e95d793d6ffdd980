"""`dlir-tf breathe`."""

from pathlib import Path
from typing import Any

import click

from dlir_tf.cli.options import FILE, Command, header_options


@click.command("breathe", cls=Command)
@click.argument("images", type=FILE, nargs=-1)
@click.option(
    "--mask",
    "masks",
    type=FILE,
    multiple=True,
    help="The lungs of an image, on its grid; once for each image, in their order. "
    "Without any, they are found by their density.",
)
@click.option(
    "--num",
    type=click.IntRange(1, 999),
    default=24,
    show_default=True,
    help="Pairs to make; images are taken in turn.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("lungs"),
    show_default=True,
    help="New folder for the pairs and their manifest, pairs.csv.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Decides the breaths and, without images, the thoraxes.",
)
@header_options
def command(**options: Any) -> None:
    """Make pairs of breathing lungs to train on, from CTs of chests.

    IMAGES are CTs in Hounsfield units, of whole chests or single lungs, one of each
    patient; without any, chests are generated. Each pair is one chest after two
    breaths, whose motion is known: its landmarks are the truth. With it come masks of
    the lungs.

    Example:
    dlir-tf breathe thorax1.nii.gz thorax2.nii.gz --output lungs
    """
    from dlir_tf.cli.work.breathe import run

    run(**options)
