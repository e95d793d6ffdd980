"""What registers pairs in one process: it loads the model once, and does one after one.

Several threads may give it pairs. While one pair is registered, others are read and
written: only the registration itself waits for its turn.
"""

import contextlib
import threading
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from dlir_tf.cohort.finding import Finder
from dlir_tf.cohort.inputs import Print, prints
from dlir_tf.cohort.pair_files import PairFiles
from dlir_tf.cohort.record import Record, check_ours, read_record, what_changed
from dlir_tf.cohort.result import PairResult, Task, failed, measured
from dlir_tf.cohort.settings import Settings
from dlir_tf.cohort.writing import pair_writers, write_pair
from dlir_tf.errors import REPORT_IT, InputError, WriteError, is_full
from dlir_tf.files import make_folder, remove_abandoned, write_together
from dlir_tf.images import elsewhere_allowed, series_chosen
from dlir_tf.pairs.loading import LoadedPair, load_pair
from dlir_tf.registration import Registration
from dlir_tf.serving.failures import ServerError


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
        self._finder = Finder(settings)
        self._turn, self._writing = threading.Lock(), threading.Lock()
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
            with _allowing(self._settings):
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
        self._check_not_stopped()
        if task.folder.is_dir():
            remove_abandoned(task.folder)
        inputs, again = prints(task.pair), ""
        record = read_record(task.files)
        check_ours(task.files, record, inputs)
        if record is not None:
            again = what_changed(record, inputs, self._described, task.folder)
            if not again:
                return _as_it_is(task, record, inputs)
        loaded = self._read(task)
        result = self._registered(loaded)
        done = _result(task, loaded, result, again)
        with _made(task.files):
            old = record.files if record is not None else {}
            notes = self._write(task, loaded, result, inputs, done, old)
        return replace(done, notes=notes)

    def _read(self, task: Task) -> LoadedPair:
        loaded = load_pair(
            task.pair,
            spacing_source=self._settings.spacing_source,
            orientation_source=self._settings.orientation_source,
            channel=self._settings.channel,
            usual_channel=self._settings.usual_channel,
        )
        outputs = task.files.outputs(task.pair, self._settings.form)
        outputs.check_moved(loaded.fixed, loaded.moving)
        return loaded

    def _registered(self, loaded: LoadedPair) -> Registration:
        with self._turn:
            self._check_not_stopped()
            return self._finder.find(loaded, lambda *_: self._check_not_stopped())

    def _write(
        self,
        task: Task,
        loaded: LoadedPair,
        result: Registration,
        inputs: Mapping[str, Print],
        done: PairResult,
        old: Mapping[str, int],
    ) -> tuple[str, ...]:
        """Writes the pair; returns what is to be said of it."""
        writers, notes = pair_writers(self._settings, task, loaded, result)

        def record(sizes: Mapping[str, int]) -> Record:
            told = {
                "verdict": done.verdict,
                "reasons": list(done.reasons),
                "numbers": dict(done.numbers),
                "notes": [*result.report.choices, *notes],
            }
            return Record(task.id, inputs, self._described, sizes, told)

        with self._writing:
            self._check_not_stopped()
            write_pair(task.files, writers, record, old)
        return (*result.report.choices, *notes)

    def _check_not_stopped(self) -> None:
        if self._stopped:
            raise GivenUpError


@contextlib.contextmanager
def _allowing(settings: Settings) -> Iterator[None]:
    """Lets images be read as the settings say, within the block."""
    with contextlib.ExitStack() as stack:
        if settings.elsewhere:
            stack.enter_context(elsewhere_allowed())
        if settings.series:
            stack.enter_context(series_chosen(settings.series))
        yield


@contextlib.contextmanager
def _made(files: PairFiles) -> Iterator[None]:
    """Makes a pair's folder; one of its own goes again if it stays empty."""
    folder = files.folder
    made = not (folder.exists() or files.shared)
    make_folder(folder)
    try:
        yield
    finally:
        if made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def _as_it_is(task: Task, record: Record, inputs: Mapping[str, Print]) -> PairResult:
    """A pair that is whole; its record is told what its files look like by now."""
    told = Record(task.id, inputs, record.settings, record.files, record.result)
    if told != record:
        write_together({task.folder / task.files.record: told.write})
    return told.as_result(task)


def _result(
    task: Task, loaded: LoadedPair, result: Registration, again: str
) -> PairResult:
    return PairResult(
        task.index,
        task.id,
        task.folder,
        result.report.verdict,
        reasons=result.report.reasons,
        numbers=measured(loaded, result),
        again=again,
    )


def _unexpected(error: Exception) -> str:
    """A sentence on what nobody expected."""
    if type(error).__name__ == "ResourceExhaustedError":
        return "not enough memory on the device for this pair"
    told = " ".join(str(error).split())[:300]
    last = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(last.filename).name}, line {last.lineno}"
    return f"{type(error).__name__} ({where}): {told}; {REPORT_IT}"
