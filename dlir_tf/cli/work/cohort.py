"""What `dlir-tf register --pairs` does."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from dlir_tf.automatic import Modality
from dlir_tf.cli.judgement import FAILED_VERDICT
from dlir_tf.cli.refinement import chosen_preset
from dlir_tf.cli.server import OF_MODELS, chosen_server
from dlir_tf.cli.work.progress import StepProgress
from dlir_tf.cli.work.quiet import load_keras, load_quietly
from dlir_tf.cli.work.start import Start
from dlir_tf.cohort.inputs import ROLES
from dlir_tf.cohort.pair_files import PairFiles
from dlir_tf.cohort.registering import (
    WORKERS_TIMEOUT,
    Engine,
    chosen_engine,
    make_tasks,
    register_tasks,
)
from dlir_tf.cohort.result import PairResult
from dlir_tf.cohort.settings import USUAL_FILES, Known, Settings
from dlir_tf.cohort.summary import SUMMARY
from dlir_tf.compute.silence import heard
from dlir_tf.errors import MOST_NAMED, InputError, counted
from dlir_tf.images import check_choice, chosen_series, is_elsewhere_allowed
from dlir_tf.images.background import FillValue
from dlir_tf.models.general import GeneralModel
from dlir_tf.models.parameters import Predictor
from dlir_tf.pairs.knowledge import check_use
from dlir_tf.pairs.manifest import Pair, read_manifest

# Between two lines in a log.
_SECONDS = 10.0


def load(model: str | Path | None) -> Predictor | GeneralModel | None:
    """Loads a model, or what is needed without one, and hides what is printed."""
    if model is not None:
        return load_quietly(model)
    load_keras()
    return None


def run_all(
    pairs: Path,
    output: Path,
    model: str | Path | None,
    refine: int | None,
    preset: str | None,
    modality: Modality | None,
    server: dict[str, Any],
    start: dict[str, Any],
    go_by: tuple[Known, ...],
    points_weight: float | None,
    labels_weight: float | None,
    stiffness: float,
    interpolation: str,
    fill_value: FillValue | None,
    headers: dict[str, Any],
    all_stages: bool,
    strict: bool,
    jobs: int | None,
    scheduler: str | None,
    workers_timeout: float | None,
    bids: bool | None,
    form: str | None,
    **written: Path | None,
) -> None:
    """Registers all pairs and tells what came of them."""
    remote = chosen_server(server, local=OF_MODELS)
    begun = Start(**start)
    settings = Settings(
        model=model,
        config=chosen_preset(preset),
        server=remote,
        refine=refine,
        modality=modality,
        initial_alignment=begun.initial_alignment,
        initial_transform=begun.initial_transform,
        without_initial=begun.without_initial,
        go_by=tuple(sorted(set(go_by))),
        points_weight=points_weight,
        labels_weight=labels_weight,
        stiffness=stiffness,
        do_no_harm=not all_stages,
        fill_value="auto" if fill_value is None else fill_value,
        interpolation=interpolation,
        **headers,
        series=chosen_series(),
        elsewhere=is_elsewhere_allowed(),
        files=_files(written),
        bids=bool(bids),
        form=form,
        load=load,
    )
    begun.check(PairFiles(output, settings.files).outputs())
    listed = read_manifest(pairs)
    _check_known(settings, listed)
    settings = settings.prepared()
    engine = _engine(jobs, scheduler, workers_timeout)
    tasks = make_tasks(listed, output, settings)
    results = _shown(register_tasks(tasks, output, settings, engine), len(tasks))
    _tell(output, results, strict=strict)


def _engine(
    jobs: int | None, scheduler: str | None, workers_timeout: float | None
) -> Engine:
    """What does the work."""
    if workers_timeout is not None and scheduler is None:
        raise InputError("--workers-timeout: is for --scheduler, which isn't given")
    patience = WORKERS_TIMEOUT if workers_timeout is None else workers_timeout
    return chosen_engine(jobs or 1, scheduler, patience)


def _files(written: dict[str, Path | None]) -> dict[str, str]:
    """The usual files, but those that are called otherwise, or none; and others."""
    given = {role: str(path) for role, path in written.items() if path is not None}
    files = USUAL_FILES | given
    return {role: name for role, name in files.items() if name != "none"}


def _check_known(settings: Settings, pairs: Sequence[Pair]) -> None:
    """Refuses what the pairs don't have: folders to choose from, what to go by."""
    check_choice(getattr(pair, role) for pair in pairs for role in ROLES)
    for kind in ("points", "labels"):
        if kind in settings.go_by:
            if not any(getattr(pair, f"fixed_{kind}") for pair in pairs):
                raise InputError(
                    f"--go-by {kind}: no pair of the manifest has {kind}; leave it out"
                )
        elif getattr(settings, f"{kind}_weight") is not None:
            raise InputError(
                f"--{kind}-weight: is for --go-by {kind}, which isn't given"
            )
    shot = settings.model is not None or settings.server is not None
    refined = bool(settings.refine) or not (shot or settings.refine == 0)
    stiffness = 0.0 if settings.go_by else settings.stiffness  # any but 1
    check_use(None, stiffness, refined=refined)


def _shown(results: Iterator[PairResult], total: int) -> Iterator[PairResult]:
    """The same results; shows on stderr how many are done, and the time left."""
    begun = shown = time.monotonic()
    done = new = 0
    try:
        with StepProgress() as progress:
            for result in results:
                done, new = done + 1, new + result.is_new
                now = time.monotonic()
                progress.show("pairs", done, total)
                if result.again:
                    with heard():  # files are written meanwhile
                        told = f"{result.id}: registered again, {result.again}"
                        progress.print(told)
                last = done == total
                if last or (not progress.is_bar and now - shown > _SECONDS):
                    left = (total - done) * (now - begun) / max(new, 1)
                    about = "" if last else f", about {_duration(left)} left"
                    with heard():
                        progress.print(f"{done} of {total} pairs{about}")
                    shown = now
                yield result
    except (KeyboardInterrupt, InputError):
        if done:
            told = counted(done, f"of {total} pairs is", f"of {total} pairs are")
            told += " done; the same command goes on"
            click.echo(told, err=True)
        raise


def _duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes / 60:.1f} h"


def _tell(output: Path, results: Iterator[PairResult], *, strict: bool) -> None:
    """Says what came of all pairs; ends with an exit code of its own if some failed."""
    verdicts: Counter[str] = Counter()
    problems = []
    for result in results:
        verdicts[result.verdict] += 1
        if result.verdict == "ERROR":
            problems.append(result.problem)
    names = ("PASS", "WARN", "FAIL", "ERROR")
    told = ", ".join(f"{verdicts[name]} {name}" for name in names if verdicts[name])
    click.echo(f"Verdicts: {told}", err=True)
    click.echo(output / SUMMARY)
    if problems:
        total = verdicts.total()
        lines = [
            f"{len(problems)} of {counted(total, 'pair', 'pairs')} couldn't be "
            f"registered; the others are in {output}",
            *problems[:MOST_NAMED],
        ]
        if len(problems) > MOST_NAMED:
            lines.append(f"the other sentences are in {output / SUMMARY}")
        raise InputError("\n".join(lines))
    if strict and verdicts["FAIL"]:
        click.echo("Error: a verdict is FAIL (--strict); all files are there", err=True)
        sys.exit(FAILED_VERDICT)
