"""`dlir-tf evaluate`."""

from pathlib import Path
from typing import Any

import click

from dlir_tf.cli.options import (
    FILE,
    Command,
    allow_elsewhere_option,
    channel_option,
    initial_alignment_option,
    optional_model_option,
)
from dlir_tf.cli.refinement import refinement_options


@click.command("evaluate", cls=Command)
@click.option(
    "--pairs",
    type=FILE,
    required=True,
    metavar="CSV",
    help="CSV manifest with one pair per line in the columns fixed,moving and "
    "optionally fixed_labels,moving_labels, fixed_points,moving_points, and "
    "fixed_mask,moving_mask; or one image per line in the column image and optionally "
    "labels, points and mask, for all ordered pairs of the images.",
)
@optional_model_option
@refinement_options
@initial_alignment_option
@channel_option
@allow_elsewhere_option
@click.option(
    "--output",
    type=FILE,
    default=Path("evaluation.csv"),
    show_default=True,
    metavar="CSV",
    help="Where the numbers go, one row per pair.",
)
@click.option(
    "--page",
    type=FILE,
    help="Write a page (.html) with a table of the pairs that sorts, filters and takes "
    "marks, worst first, and how the measures are spread. Their small pictures go into "
    "a folder beside it, NAME_pairs.",
)
@click.option(
    "--pair-pages",
    is_flag=True,
    help="With --page: write a page for every pair as well, to which that one leads, "
    "as dlir-tf register --page does.",
)
def command(**options: Any) -> None:
    """Measure how well pairs of images are registered.

    Without --model and --preset, settings are chosen for every pair, by its images.

    Before and after: similarity, and with labels Dice and surface distances, with
    points the landmark error; also how smooth the transforms are and how long a
    registration takes. Labels are moved by nearest neighbour, and all is measured
    on the fixed image's own grid. A label that only one image of a pair has counts
    with a Dice of 0 and without distances. Means go to stdout, one row per pair to
    the CSV file. A pair that can't be evaluated doesn't stop the others: its row has
    the verdict ERROR and says why, and the exit code is 1.

    Example:
    dlir-tf evaluate --pairs test.csv --model model --refine 60
    """
    from dlir_tf.cli.work.evaluate import run

    run(**options)
