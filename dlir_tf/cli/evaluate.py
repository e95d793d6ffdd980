"""`dlir-tf evaluate`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlir_tf.cli.options import (
    FILE,
    Command,
    allow_elsewhere_option,
    initial_alignment_option,
    model_option,
)
from dlir_tf.cli.refinement import chosen_preset, refinement_options

if TYPE_CHECKING:
    from dlir_tf.config import InitialAlignment


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
@model_option
@refinement_options
@initial_alignment_option
@allow_elsewhere_option
@click.option(
    "--output",
    type=FILE,
    default=Path("evaluation.csv"),
    show_default=True,
    metavar="CSV",
    help="Where the numbers go, one row per pair.",
)
def command(
    pairs: Path,
    model: Path,
    refine: int | None,
    preset: str | None,
    initial_alignment: "InitialAlignment | None",
    output: Path,
) -> None:
    """Measure how well pairs of images are registered.

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
    from rich.console import Console

    from dlir_tf.cli.progress import counting
    from dlir_tf.errors import InputError
    from dlir_tf.evaluation.evaluate import PairEvaluation, PairFailure, find_faults
    from dlir_tf.files import check_output
    from dlir_tf.models.loading import check_model
    from dlir_tf.pairs.manifest import read_manifest

    check_output(output, (".csv",))
    listed = read_manifest(pairs)
    config = chosen_preset(preset)
    chosen = (config or check_model(model)).with_alignment(initial_alignment)
    faults = find_faults(listed, chosen)
    if len(faults) == len(listed):
        raise InputError("\n".join(faults.values()))

    from dlir_tf.cli.quiet import load_keras, load_quietly

    if config is None:
        loaded = load_quietly(model)
    else:
        load_keras()
        loaded = None
    from dlir_tf.evaluation.evaluate import evaluate_each
    from dlir_tf.evaluation.report import summary_table, write_csv

    with counting(len(listed), "pairs evaluated") as show_progress:
        outcomes = evaluate_each(
            listed,
            loaded,
            show_progress,
            config=config,
            refine=refine,
            initial_alignment=initial_alignment,
            faults=faults,
        )
    write_csv(output, outcomes)
    failures = [each.problem for each in outcomes if isinstance(each, PairFailure)]
    evaluations = [each for each in outcomes if isinstance(each, PairEvaluation)]
    if not evaluations:
        raise InputError("\n".join(failures))
    console = Console(highlight=False)
    console.print(summary_table(evaluations, plain=not console.is_terminal))
    click.echo(
        "Seconds are those of the registration alone, without reading files; the first "
        "pair was registered once before."
    )
    click.echo(output)
    if failures:
        told = f"{len(failures)} of {len(listed)} pairs couldn't be evaluated"
        raise InputError("\n".join([f"{told}; the others are in {output}", *failures]))
