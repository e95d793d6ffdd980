"""What is written of a pair: its files and, as the last of them, its record."""

import contextlib
import json
from collections.abc import Callable, Collection, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from dlir_tf.apply import carry_points
from dlir_tf.apply.registration_writing import Manner, Writer, registration_writers
from dlir_tf.cohort.pair_files import PairFiles
from dlir_tf.cohort.record import Record
from dlir_tf.cohort.result import Task
from dlir_tf.cohort.settings import Settings
from dlir_tf.files import write_together
from dlir_tf.images import write_image
from dlir_tf.images.points import read_point_file
from dlir_tf.pairs.loading import LoadedPair
from dlir_tf.registration import Registration


def pair_writers(
    settings: Settings, task: Task, pair: LoadedPair, result: Registration
) -> tuple[dict[Path, Writer], list[str]]:
    """What writes the files of a pair, but its record.

    Args:
        settings: How it was registered, and what is wanted of it.
        task: The pair.
        pair: As it was read.
        result: Of the registration.

    Returns:
        For every file what writes it, and what is to be said about them, which is
        complete when they are written.

    Raises:
        InputError: If a file would be one of the pair's own.
    """
    outputs = task.files.outputs(task.pair, settings.form)
    outputs.check(task.pair.files)
    manner = Manner(settings.interpolation, settings.without_initial, task.id)
    writers, notes = registration_writers(outputs, result, pair, manner)
    writers |= _mask_writer(task.files.moved_mask, pair, result)
    source = task.pair.fixed_points
    if source is not None and pair.points is not None:
        path = task.files.mapped_points(source)
        writers |= _points_writer(path, source, result, notes)
    for name, told in task.files.sidecars.items():
        writers[task.folder / name] = partial(_write_json, told=told)
    return writers, notes


def write_pair(
    files: PairFiles,
    writers: Mapping[Path, Writer],
    record: Callable[[Mapping[str, int]], Record],
    old: Collection[str],
) -> None:
    """Writes all files of a pair together, and removes what isn't written any more.

    Args:
        files: The pair's.
        writers: From `pair_writers`.
        record: Makes the record, of the size of every file that was written.
        old: Names of the files that were written before.

    Raises:
        InputError: If one can't be written; then none is.
    """
    sizes: dict[str, int] = {}
    noting = {path: _noting(write, sizes) for path, write in writers.items()}
    for name in set(old) - {path.name for path in writers}:
        with contextlib.suppress(OSError):
            (files.folder / name).unlink()
    write_together(
        noting | {files.folder / files.record: lambda path: record(sizes).write(path)}
    )


def _mask_writer(
    path: Path | None, pair: LoadedPair, result: Registration
) -> dict[Path, Writer]:
    mask = pair.moving_mask
    if mask is None or path is None:
        return {}
    moved = result.transform.resample(
        mask.with_array(mask.array.astype("uint8")),
        pair.fixed,
        displacement=result.displacement,
        interpolation="nearest",
    )
    return {path: partial(write_image, image=moved)}


def _points_writer(
    path: Path | None, source: Path, result: Registration, notes: list[str]
) -> dict[Path, Writer]:
    """Of the fixed image's landmarks, in the moving image's world."""
    if path is None:
        return {}
    file = read_point_file(source)
    points = carry_points(source, file, result.transform, notes.append)
    return {path: partial(file.write, points=points)}


def _write_json(path: Path, told: Mapping[str, Any]) -> None:
    text = json.dumps(told, indent=2, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def _noting(write: Writer, sizes: dict[str, int]) -> Writer:
    """Writes a draft, and notes the sizes of all files that it became."""

    def noted(draft: Path) -> None:
        write(draft)
        sizes.update(
            {path.name: path.stat().st_size for path in draft.parent.iterdir()}
        )

    return noted
