"""What `dlir-tf track` does."""

import contextlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import click

from dlir_tf.apply import check_distinct
from dlir_tf.automatic import Modality
from dlir_tf.cli.refinement import chosen_preset
from dlir_tf.cli.work.known_in_series import read_known
from dlir_tf.cli.work.progress import StepProgress
from dlir_tf.cli.work.quiet import load_keras, load_quietly
from dlir_tf.cli.work.series_page import check_page, title_of
from dlir_tf.config import InitialAlignment
from dlir_tf.errors import InputError, WriteError
from dlir_tf.images import (
    WRITABLE_SUFFIXES,
    Frames,
    Image,
    check_choice,
    names_a_series,
    read_mask_of,
)
from dlir_tf.images.background import FillValue
from dlir_tf.models.general import usual_channel
from dlir_tf.models.loading import check_model
from dlir_tf.models.names import find_model
from dlir_tf.page.series import write_series_page
from dlir_tf.page.series.folder import read_series_folder
from dlir_tf.pairs.slices import rank_of_pair
from dlir_tf.series.folder import FolderNotes, check_new, identity_of
from dlir_tf.series.order import chosen_reference
from dlir_tf.series.reading import read_series
from dlir_tf.series.results import write_results
from dlir_tf.series.tracking import Tracking, track


def run(
    files: tuple[Path, ...],
    output: Path,
    reference: str,
    model: str | Path | None,
    preset: str | None,
    known: dict[str, Any],
    mask: Path | None,
    headers: dict[str, Any],
    channel: int | None,
    transform_suffix: str,
    refine: int | None,
    modality: Modality | None,
    initial_alignment: InitialAlignment | None,
    fill_value: FillValue | None,
    all_stages: bool,
    page: Path | None,
    **options: Any,
) -> None:
    """Registers the frames of a series and writes all that follows from it."""
    check_new(output)
    check_page(page, output)
    _check_files(files, (known["labels"], known["points"], mask), output)
    config = chosen_preset(preset)
    by = config if model is None else check_model(model)
    usual = usual_channel(by)
    frames = read_series(files, **headers, channel=channel, usual_channel=usual)
    number = _number(reference)
    chosen = chosen_reference(number, len(frames))
    told = read_known(frames, chosen, headers, _say, **known)
    asked = {
        "config": config,
        "refine": refine,
        "initial_alignment": initial_alignment,
        "modality": modality,
        "reference": number,
        "do_no_harm": not all_stages,
        "fill_value": "auto" if fill_value is None else fill_value,
        **options,
    }
    masking = None if mask is None else read_mask_of(mask, frames[0], **headers)
    tracking, notes = _tracked(files, frames, model, masking, output, asked)
    written = write_results(
        output,
        tracking,
        told,
        series=files,
        image_suffix=_image_suffix(files),
        transform_suffix=transform_suffix,
        tell=_say,
    )
    notes.forget()
    _tell_outcomes(tracking)
    if page is not None:
        shown = output, frames, title_of(files), tracking.reference
        write_series_page(page, read_series_folder(*shown))
        written.append(page)
    for path in written:
        click.echo(path)


def _check_files(
    files: tuple[Path, ...], others: tuple[Path | None, ...], output: Path
) -> None:
    """Refuses files that aren't there, or would be in the folder of the results."""
    read = [*files, *filter(None, others)]
    for path in read:
        if not (path.exists() or names_a_series(path)):
            raise InputError(f"no such file: {path}; check the path")
    check_distinct(read, [output])
    check_choice(read)


def _tracked(
    files: tuple[Path, ...],
    frames: Frames,
    model: str | Path | None,
    mask: Image | None,
    output: Path,
    asked: dict[str, Any],
) -> tuple[Tracking, FolderNotes]:
    """Registers all frames, or goes on with those that are done."""
    loaded = None
    if model is not None:
        ndim = rank_of_pair(frames[0].grid, frames[0].grid)
        loaded = load_quietly(find_model(model, ndim))
    else:
        load_keras()
    weights = getattr(loaded, "provenance", {}).get("weights_sha256")
    config = asked["config"]
    by = [weights or str(model), config and config.model_dump(mode="json")]
    notes = FolderNotes(output, identity_of(frames, mask, asked | {"config": by}))
    with _told_of(files), StepProgress() as progress:
        tracking = track(
            frames,
            model=loaded,
            mask=mask,
            notes=notes,
            on_choice=_tell_choices,
            on_progress=progress.stepped,
            on_frame=partial(_show, progress),
            **asked,
        )
    return tracking, notes


@contextlib.contextmanager
def _told_of(series: tuple[Path, ...]) -> Iterator[None]:
    """Says of what was read what can't be registered: `track` knows no files."""
    others = f" and {len(series) - 1} more" if len(series) > 1 else ""
    try:
        yield
    except WriteError:
        raise
    except InputError as error:
        raise error.within(f"{series[0]}{others}") from error


def _number(reference: str) -> int | str:
    try:
        return int(reference)
    except ValueError:
        return reference


def _image_suffix(series: tuple[Path, ...]) -> str:
    """The series' own format, where that is written."""
    name = series[0].name
    ends = [s for s in sorted(WRITABLE_SUFFIXES, key=len) if name.endswith(s)]
    return ends[-1] if ends and series[0].is_file() else ".nii.gz"


def _show(progress: StepProgress, done: int, total: int) -> None:
    progress.show("frames", done, total)
    if not progress.is_bar and (done == total or not done % 10):
        progress.print(f"{done} of {total} frames")


def _tell_choices(choices: tuple[str, ...]) -> None:
    for choice in choices:
        _say(f"Chosen by the images: {choice}")


def _tell_outcomes(tracking: Tracking) -> None:
    """Says which frames aren't to be trusted."""
    for outcome in tracking.outcomes:
        if outcome.failure:
            _say(f"FAIL: frame {outcome.frame}: {outcome.failure}")


def _say(line: str) -> None:
    click.echo(line, err=True)
