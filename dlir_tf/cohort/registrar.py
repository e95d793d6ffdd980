"""What registers pairs in one process: it loads the model once, and does one after one.

Several threads may give it pairs. While one pair is registered, others are read and
written: only the registration itself waits for its turn.
"""

import contextlib
import threading
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from dlir_tf.apply import carry_points
from dlir_tf.cohort.inputs import Print, prints
from dlir_tf.cohort.outputs import Writer
from dlir_tf.cohort.record import RECORD, Record, check_ours, read_record, what_changed
from dlir_tf.cohort.result import PairResult, Task, failed, measured
from dlir_tf.cohort.settings import Settings
from dlir_tf.errors import REPORT_IT, InputError, WriteError, is_full
from dlir_tf.files import make_folder, remove_abandoned, write_together
from dlir_tf.images import elsewhere_allowed, series_chosen, write_image
from dlir_tf.images.points import read_point_file
from dlir_tf.pairs.knowledge import Knowledge
from dlir_tf.pairs.loading import LoadedPair, load_pair
from dlir_tf.registration import Registration, register
from dlir_tf.serving import register_remotely
from dlir_tf.serving.failures import ServerError
from dlir_tf.transforms import Transform
from dlir_tf.transforms.files.chain import read_chain


class GivenUpError(Exception):
    """The work was given up, as after Ctrl-C; nothing is wrong with the pair."""


class Registrar:
    """Registers pairs as some settings say, and writes their folders.

    Args:
        settings: `prepared`.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._described = settings.described()
        self._turn, self._writing = threading.Lock(), threading.Lock()
        self._find: Callable[..., Registration] | None = None
        self._stopped = False

    def stop(self) -> None:
        """Gives up what is being registered, as soon as a refinement's next steps."""
        self._stopped = True

    def do(self, task: Task) -> PairResult:
        """Registers a pair and writes its folder, unless that is whole.

        What is wrong with the pair is said in the result.

        Raises:
            WriteError: If the disk is full: so it would be for all that follow.
            ServerError: If a server can't be asked any more, likewise.
            GivenUpError: If the work was given up meanwhile.
        """
        try:
            with contextlib.ExitStack() as stack:
                if self._settings.elsewhere:
                    stack.enter_context(elsewhere_allowed())
                if self._settings.series:
                    stack.enter_context(series_chosen(self._settings.series))
                return self._do(task)
        except (GivenUpError, ServerError):
            raise
        except InputError as error:
            if isinstance(error, WriteError) and is_full(error):
                raise
            place = task.pair.place
            told = str(error)
            return failed(task, told if told.startswith(place) else f"{place}: {told}")
        except MemoryError:
            return failed(task, f"{task.pair.place}: not enough memory for this pair")
        except Exception as error:
            return failed(task, f"{task.pair.place}: {_unexpected(error)}")

    def _do(self, task: Task) -> PairResult:
        folder, pair = task.folder, task.pair
        self._check_not_stopped()
        if folder.is_dir():
            remove_abandoned(folder)
        inputs, again = prints(pair), ""
        record = read_record(folder)
        check_ours(folder, record, inputs)
        if record is not None:
            again = what_changed(record, inputs, self._described, folder)
            if not again:
                return self._as_it_is(task, record, inputs)
        loaded = load_pair(
            pair,
            spacing_source=self._settings.spacing_source,
            orientation_source=self._settings.orientation_source,
            channel=self._settings.channel,
        )
        self._settings.outputs(folder, pair).check_moved(loaded.fixed, loaded.moving)
        result = self._registered(loaded)
        made = not folder.exists()
        make_folder(folder)
        try:
            old = record.files if record is not None else {}
            return self._written(task, loaded, result, inputs, again, set(old))
        finally:
            if made:  # and nothing came into it
                with contextlib.suppress(OSError):
                    folder.rmdir()

    def _as_it_is(
        self, task: Task, record: Record, inputs: dict[str, Print]
    ) -> PairResult:
        """A pair that is whole; its record is told what its files look like by now."""
        told = Record(task.id, inputs, record.settings, record.files, record.result)
        if told != record:
            write_together({task.folder / RECORD: told.write})
        return told.as_result(task)

    def _registered(self, loaded: LoadedPair) -> Registration:
        settings = self._settings
        with self._turn:
            self._check_not_stopped()
            if self._find is None:
                self._find = self._finder()
            return self._find(
                loaded.fixed,
                loaded.moving,
                fixed_mask=loaded.fixed_mask,
                moving_mask=loaded.moving_mask,
                refine=settings.refine,
                fill_value=settings.fill_value,
                do_no_harm=settings.do_no_harm,
                stiffness=settings.stiffness,
                knowledge=self._known(loaded),
                on_progress=lambda *_: self._check_not_stopped(),
                **self._start(loaded.fixed.ndim),
            )

    def _finder(self) -> Callable[..., Registration]:
        """What finds a transform; what takes long to load is loaded now."""
        settings = self._settings
        if settings.server is not None:
            return partial(register_remotely, server=settings.server)
        model = settings.load(settings.model)
        return partial(
            register, model=model, config=settings.config, modality=settings.modality
        )

    def _start(self, ndim: int) -> dict[str, Any]:
        settings = self._settings
        if settings.server is not None:
            return {}
        start: Transform | None = None
        if settings.initial_transform:
            start = read_chain(settings.initial_transform)
            if settings.without_initial and start.ndim != ndim:
                raise InputError(
                    f"what is written between two slices is {ndim}-d and can't follow "
                    f"a {start.ndim}-d initial transform; leave --without-initial out"
                )
        alignment = settings.initial_alignment
        return {"initial_transform": start, "initial_alignment": alignment}

    def _known(self, loaded: LoadedPair) -> Knowledge | None:
        """What the pair's refinement goes by, beside the images."""
        settings = self._settings
        known: dict[str, Any] = {
            kind: getattr(loaded, kind)
            for kind in settings.go_by
            if getattr(loaded, kind) is not None
        }
        for kind in list(known):
            if (weight := getattr(settings, f"{kind}_weight")) is not None:
                known[f"{kind}_weight"] = weight
        return Knowledge(**known) if known else None

    def _written(
        self,
        task: Task,
        loaded: LoadedPair,
        result: Registration,
        inputs: dict[str, Print],
        again: str,
        old: set[str],
    ) -> PairResult:
        """Writes the pair's folder, and removes what isn't written any more."""
        folder, settings = task.folder, self._settings
        outputs = settings.outputs(folder, task.pair)
        outputs.check(task.pair.files)
        writers, notes = outputs.writers(
            result,
            loaded,
            interpolation=settings.interpolation,
            without_initial=settings.without_initial,
            title=task.id,
        )
        writers |= self._more_writers(task, loaded, result, notes)
        sizes: dict[str, int] = {}
        noting = {path: _noting(write, sizes) for path, write in writers.items()}
        numbers, report = measured(loaded, result), result.report
        done = PairResult(
            task.index,
            task.id,
            folder,
            report.verdict,
            reasons=report.reasons,
            numbers=numbers,
            again=again,
        )

        def write_record(path: Path) -> None:
            told: dict[str, Any] = {
                "verdict": done.verdict,
                "reasons": list(done.reasons),
            }
            told |= {"numbers": dict(numbers), "notes": [*report.choices, *notes]}
            Record(task.id, inputs, self._described, sizes, told).write(path)

        with self._writing:
            self._check_not_stopped()
            for name in old - {path.name for path in writers}:
                with contextlib.suppress(OSError):
                    (folder / name).unlink()
            write_together(noting | {folder / RECORD: write_record})
        return done

    def _more_writers(
        self,
        task: Task,
        loaded: LoadedPair,
        result: Registration,
        notes: list[str],
    ) -> dict[Path, Writer]:
        """Of what only a manifest has: a moving mask, and landmarks of both."""
        writers: dict[Path, Writer] = {}
        mask, path = loaded.moving_mask, self._settings.moved_mask(task.folder)
        if mask is not None and path is not None:
            moved = result.transform.resample(
                mask.with_array(mask.array.astype("uint8")),
                loaded.fixed,
                displacement=result.displacement,
                interpolation="nearest",
            )
            writers[path] = partial(write_image, image=moved)
        source = task.pair.fixed_points
        if source is not None and loaded.points is not None:
            path = self._settings.mapped_points(task.folder, source)
            if path is not None:
                file = read_point_file(source)
                points = carry_points(source, file, result.transform, notes.append)
                writers[path] = partial(file.write, points=points)
        return writers

    def _check_not_stopped(self) -> None:
        if self._stopped:
            raise GivenUpError


def _noting(write: Writer, sizes: dict[str, int]) -> Writer:
    """Writes a draft, and notes the sizes of all files that it became."""

    def noted(draft: Path) -> None:
        write(draft)
        sizes.update(
            {path.name: path.stat().st_size for path in draft.parent.iterdir()}
        )

    return noted


def _unexpected(error: Exception) -> str:
    """A sentence on what nobody expected."""
    if type(error).__name__ == "ResourceExhaustedError":
        return "not enough memory on the device for this pair"
    told = " ".join(str(error).split())[:300]
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}, line {last.lineno}"
    return f"{type(error).__name__} ({where}): {told}; {REPORT_IT}"
