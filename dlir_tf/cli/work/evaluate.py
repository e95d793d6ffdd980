"""What `dlir-tf evaluate` does."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from dlir_tf.apply import check_distinct
from dlir_tf.cli.refinement import chosen_preset
from dlir_tf.cli.work.progress import counting
from dlir_tf.cli.work.quiet import load_keras, load_quietly
from dlir_tf.cohort.names import folder_names, pair_ids
from dlir_tf.config import InitialAlignment
from dlir_tf.errors import InputError, first_few
from dlir_tf.evaluation.checking import find_faults
from dlir_tf.evaluation.evaluate import (
    Outcome,
    PairEvaluation,
    PairFailure,
    evaluate_each,
)
from dlir_tf.evaluation.page import Shown, cohort_rows
from dlir_tf.evaluation.report import summary_table, write_csv
from dlir_tf.files import check_folder, check_output, write_together
from dlir_tf.models.loading import check_model
from dlir_tf.page.cohort import write_cohort_page
from dlir_tf.page.writing import SUFFIXES as PAGE_SUFFIXES
from dlir_tf.pairs.manifest import Pair, read_manifest


def run(
    pairs: Path,
    model: str | Path | None,
    refine: int | None,
    preset: str | None,
    initial_alignment: InitialAlignment | None,
    channel: int | None,
    output: Path,
    page: Path | None,
    pair_pages: bool,
) -> None:
    """Registers all pairs and tells how well they are registered."""
    check_output(output, (".csv",))
    listed = read_manifest(pairs)
    shown = _checked_page(page, listed, pair_pages)
    written = [output, *([page] if page else [])]
    check_distinct([pairs, *(file for pair in listed for file in pair.files)], written)
    config = chosen_preset(preset)
    chosen = config if model is None else check_model(model)
    if chosen is not None:
        chosen = chosen.with_alignment(initial_alignment)
    faults = find_faults(listed, chosen, channel=channel)
    if len(faults) == len(listed):
        raise InputError(first_few(list(faults.values())))

    loaded = None
    if model is not None:
        loaded = load_quietly(model)
    else:
        load_keras()
    if chosen is None and refine != 0:
        told = "settings are chosen for every pair (dlir-tf info --pair shows them)"
        click.echo(f"Neither a model nor a preset is given: {told}", err=True)
    with counting(len(listed), "pairs evaluated") as show_progress:
        outcomes = evaluate_each(
            listed,
            loaded,
            show_progress,
            config=config,
            refine=refine,
            initial_alignment=initial_alignment,
            channel=channel,
            faults=faults,
            look=shown.look if shown else lambda index: None,
        )
    _write(output, page, outcomes, shown, title=f"Evaluation of {pairs.name}")
    _tell(outcomes, written)


def _checked_page(
    page: Path | None, pairs: Sequence[Pair], pair_pages: bool
) -> Shown | None:
    """What is to be looked at of the pairs; refuses what can't be written."""
    if page is None:
        if pair_pages:
            raise InputError("--pair-pages: is for --page, which isn't given")
        return None
    check_output(page, PAGE_SUFFIXES)
    shown = Shown(page, folder_names(pairs, pair_ids(pairs)), pages=pair_pages)
    check_folder(shown.folder)
    return shown


def _tell(outcomes: Sequence[Outcome], written: Sequence[Path]) -> None:
    """Prints the means, and where all is; complains of pairs that have none."""
    failures = [each.problem for each in outcomes if isinstance(each, PairFailure)]
    evaluations = [each for each in outcomes if isinstance(each, PairEvaluation)]
    if not evaluations:
        raise InputError(first_few(failures))
    console = Console(highlight=False)
    console.print(summary_table(evaluations, plain=not console.is_terminal))
    click.echo(
        "Seconds are those of the registration alone, without reading files; "
        + (
            "the first pair, which waits for what is compiled, doesn't count."
            if len(evaluations) > 1
            else "what is compiled for the first pair counts."
        )
    )
    for path in written:
        click.echo(path)
    if failures:
        told = f"{len(failures)} of {len(outcomes)} pairs couldn't be evaluated"
        raise InputError(
            f"{told}; the others are in {written[0]}\n{first_few(failures)}"
        )


def _write(
    output: Path,
    page: Path | None,
    outcomes: Sequence[Outcome],
    shown: Shown | None,
    *,
    title: str,
) -> None:
    """Writes the table, and the page beside it if it's asked for."""
    writers: dict[Path, Callable[[Path], object]] = {
        output: partial(write_csv, outcomes=outcomes)
    }
    if page is not None:
        rows = cohort_rows(outcomes, shown)
        writers[page] = partial(write_cohort_page, rows=rows, title=title)
    write_together(writers)
