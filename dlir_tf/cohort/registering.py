"""`register_pairs`: all pairs of a manifest, registered and written into one folder."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from dlir_tf.cohort.bids.dataset import check_dataset, write_dataset
from dlir_tf.cohort.bids.layout import bids_files
from dlir_tf.cohort.index import write_tables
from dlir_tf.cohort.names import folder_names, pair_ids
from dlir_tf.cohort.pair_files import PairFiles
from dlir_tf.cohort.processes import registered_by_processes
from dlir_tf.cohort.record import looks_done
from dlir_tf.cohort.registrar import Registrar
from dlir_tf.cohort.result import PairResult, Task, failed
from dlir_tf.cohort.settings import Settings
from dlir_tf.cohort.threads import registered_here
from dlir_tf.config import Config, load_config
from dlir_tf.errors import InputError
from dlir_tf.files import check_folder, locked, make_folder
from dlir_tf.pairs.arguments import check_cohort
from dlir_tf.pairs.manifest import Pair, read_manifest

# How long workers of a cluster are waited for.
WORKERS_TIMEOUT = 300.0
# Between two times that the summary is written.
_SECONDS = 10.0

Engine = Callable[[Iterable[Task], Settings], Iterator[PairResult]]


def register_pairs(
    pairs: str | Path | Sequence[Pair],
    output: str | Path,
    *,
    model: str | Path | None = None,
    config: Config | str | Path | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
    workers_timeout: float = WORKERS_TIMEOUT,
    **settings: Any,
) -> Iterator[PairResult]:
    r"""Registers all pairs of a manifest, and writes a folder for each.

    Called again, it goes on: a pair whose folder is whole, and whose files, settings
    and model are what they were, isn't registered again. A pair that can't be
    registered doesn't stop the others. `summary.csv` in `output` has a row per pair,
    and `index.html` is that table to look at.

    Args:
        pairs: A manifest, as for training and evaluation, with a column `id` if you
            like; or what `read_manifest` made of one.
        output: The folder, in which every pair has one of its own.
        model: A model folder or `.tflite` file, or the name of one that ships; it is
            loaded once. With neither model nor config, settings are chosen for every
            pair.
        config: Instead of a model, from `dlir_tf.load_config`, or what that takes.
        jobs: How many processes share the work on this machine. With more than one, a
            program of your own needs the usual `if __name__ == "__main__":`.
        scheduler: Of a Dask cluster that does the work instead: its address, or the
            file that it wrote it to.
        workers_timeout: How long workers of that are waited for, in seconds.
        settings: The rest of what `dlir_tf.cohort.Settings` has.

    Yields:
        What came of every pair: first of those that were whole before, then of others
        as soon as they are written.

    Raises:
        InputError: If the manifest or a setting can't be used, another process writes
            to the folder, or nothing more can be done: the disk is full, say.

    Example:

    >>> import tempfile
    >>> from dlir_tf.images import write_image
    >>> from dlir_tf.phantoms import beating_heart
    >>> heart = beating_heart(1, shape=(32, 28, 4))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("fixed", "moving"):
    ...         write_image(f"{folder}/{name}.nii.gz", getattr(heart, name))
    ...     with open(f"{folder}/pairs.csv", "w") as stream:
    ...         _ = stream.write("id,fixed,moving\n")
    ...         _ = stream.write("heart,fixed.nii.gz,moving.nii.gz\n")
    ...     for result in register_pairs(
    ...         f"{folder}/pairs.csv", f"{folder}/out", config="rigid", refine=2
    ...     ):
    ...         print(result.id, sorted(path.name for path in result.folder.iterdir()))
    heart ['moved.nii.gz', 'pair.json', 'report.json', 'thumbnail.png', 'transform.h5']
    """
    if isinstance(config, str | Path):
        config = load_config(config)
    if isinstance(pairs, str | Path):
        pairs = read_manifest(Path(pairs))
    check_cohort(pairs, model, config)
    prepared = Settings(model=model, config=config, **settings).prepared()
    tasks = make_tasks(pairs, Path(output), prepared)
    engine = chosen_engine(jobs, scheduler, workers_timeout)
    return register_tasks(tasks, Path(output), prepared, engine)


def make_tasks(pairs: Sequence[Pair], output: Path, settings: Settings) -> list[Task]:
    """Every pair with its name and its files'.

    Args:
        pairs: Of one manifest.
        output: The folder of the cohort.
        settings: How pairs are registered, and what is written of them.

    Raises:
        InputError: If a pair can't have names of BIDS, which are asked for.
    """
    ids = pair_ids(pairs)
    if settings.bids:
        files = bids_files(pairs, output, settings.files)
    else:
        names = folder_names(pairs, ids)
        files = [PairFiles(output / name, settings.files) for name in names]
    return [
        Task(index, one, pair, each)
        for index, (pair, one, each) in enumerate(zip(pairs, ids, files, strict=True))
    ]


def chosen_engine(
    jobs: int = 1,
    scheduler: str | None = None,
    workers_timeout: float = WORKERS_TIMEOUT,
) -> Engine:
    """What does the work: this process, several ones, or a cluster.

    Args:
        jobs: How many processes.
        scheduler: Of the cluster.
        workers_timeout: How long its workers are waited for, in seconds.

    Raises:
        InputError: If there can't be so many, or both are asked for.
    """
    if jobs < 1:
        raise InputError(f"jobs: must be at least 1. Received: {jobs}")
    if scheduler is not None and jobs != 1:
        raise InputError(
            "--jobs and --scheduler exclude each other: a cluster has the workers that "
            "were started for it; leave one of them out"
        )
    if scheduler is not None:
        from dlir_tf.cohort.cluster import registered_by_cluster

        return partial(
            registered_by_cluster, address=scheduler, patience=workers_timeout
        )
    if jobs > 1:
        return partial(registered_by_processes, jobs=jobs)
    return lambda tasks, settings: registered_here(tasks, Registrar(settings))


def register_tasks(
    tasks: Sequence[Task], output: Path, settings: Settings, engine: Engine
) -> Iterator[PairResult]:
    """Registers pairs that aren't whole, and keeps the summary.

    Args:
        tasks: From `make_tasks`.
        output: The folder of the cohort.
        settings: `prepared`.
        engine: Does the work.

    Raises:
        InputError: As `register_pairs` does.
    """
    check_folder(output)
    if settings.bids:
        check_dataset(output)
    make_folder(output)
    PairFiles(output, settings.files).outputs(form=settings.form).check(())
    with _alone(output):
        if settings.bids:
            write_dataset(output, [task.pair for task in tasks])
        results = _results(tasks, settings, engine)
        yield from _summarized(tasks, output, results)


def _results(
    tasks: Sequence[Task], settings: Settings, engine: Engine
) -> Iterator[PairResult]:
    described = settings.described()
    left = []
    for task in tasks:
        try:
            done = looks_done(task, described)
        except InputError as error:
            done = failed(task, f"{task.pair.place}: {error}")
        if done is None:
            left.append(task)
        else:
            yield done
    if left:
        yield from engine(left, settings)


def _summarized(
    tasks: Sequence[Task],
    output: Path,
    results: Iterator[PairResult],
) -> Iterator[PairResult]:
    """The same results; the tables are written now and then, and at the end."""
    known: dict[int, PairResult] = {}
    written = time.monotonic()
    try:
        for result in results:
            known[result.index] = result
            yield result
            if time.monotonic() - written > _SECONDS:
                write_tables(output, tasks, known)
                written = time.monotonic()
    except BaseException:
        if known:
            with _whatever_the_disk_says():
                write_tables(output, tasks, known)
        raise
    write_tables(output, tasks, known)


@contextmanager
def _whatever_the_disk_says() -> Iterator[None]:
    """Lets an error that is being raised be raised, and none of writing after it."""
    try:
        yield
    except (InputError, KeyboardInterrupt):
        return


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    with locked(output) as ours:
        if not ours:
            raise InputError(
                "another process registers pairs into this folder; wait until it has "
                "ended, or choose another --output",
                place=output,
            )
        yield
