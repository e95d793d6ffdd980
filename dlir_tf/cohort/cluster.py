"""The pairs of a cohort, registered by the workers of a Dask cluster.

A worker loads the model once. What was in hand of one that died is tried elsewhere by
Dask itself; a pair that several have died of is tried again at the end, alone.

Only some pairs more than the workers can take are on their way at a time, so scheduler
and client need no more memory for many pairs than for few, but for the latest messages
that Dask keeps of each worker (see docs/cohorts.md).
"""

import contextlib
import itertools
import logging
import queue
import sys
import threading
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlir_tf.cohort.fitness import RESOURCE, make_fit
from dlir_tf.cohort.registrar import Registrar
from dlir_tf.cohort.result import PairResult, Task, failed
from dlir_tf.cohort.settings import Settings
from dlir_tf.cohort.watch import Watch
from dlir_tf.errors import InputError

if TYPE_CHECKING:
    from distributed import Client, Future

# Seconds that a scheduler has to answer, and between two looks at its workers.
_TO_CONNECT, _BETWEEN_LOOKS = 20.0, 1.0
# How often what a worker has said of a pair may be lost on its way.
_MOST_LOSSES = 5
# How often a pair that workers have died of is tried alone.
_MOST_ALONE = 2
# Pairs on their way for each that a worker has in hand, and how many at least.
_PER_PLACE, _AT_LEAST = 2, 8

# What a worker says of a pair, or of what ends all.
Answer = PairResult | str
Work = Callable[[Settings, Task], Answer]

_registrars: dict[str, Registrar] = {}
_lock = threading.Lock()


def register_on_worker(settings: Settings, task: Task) -> Answer:
    """What a worker does with a pair; what it has loaded for one, it has for the next.

    Returns:
        What came of it, or a sentence on why no other can be registered either.
    """
    key = repr(settings.described())
    with _lock:
        if key not in _registrars:
            _registrars.clear()  # of a cohort before
            _registrars[key] = Registrar(settings)
        registrar = _registrars[key]
    try:
        return registrar.do(task)
    except InputError as error:
        return str(error)


def registered_by_cluster(
    tasks: Iterable[Task],
    settings: Settings,
    address: str,
    patience: float,
    work: Work = register_on_worker,
) -> Iterator[PairResult]:
    """Registers pairs, and yields what came of each as soon as it is written.

    Args:
        tasks: The pairs.
        settings: How, `prepared`.
        address: Of the scheduler, or the file that it wrote it to.
        patience: How long workers are waited for, in seconds.
        work: What a worker does with a pair.

    Raises:
        InputError: If the scheduler can't be reached or goes away, there are no workers
            for that long, or none that can do it; or the disk is full, say. What is
            done by then was yielded before.
    """
    client = _connected(address)
    try:
        yield from _Cluster(client, address, settings.absolute(), patience, work).do(
            tasks
        )
    finally:
        with contextlib.suppress(Exception), _without_log():
            client.close(timeout=5)


class _Cluster:
    """Pairs on their way to the workers of a cluster, and back."""

    def __init__(
        self,
        client: "Client",
        address: str,
        settings: Settings,
        patience: float,
        work: Work,
    ) -> None:
        self._client, self._address = client, address
        self._settings, self._work = settings, work
        self._watch = Watch(client, address, settings, patience)
        self._under_way: dict[Future[Any], Task] = {}
        self._suspects: deque[Task] = deque()
        self._alone: Counter[int] = Counter()
        self._lost: Counter[int] = Counter()
        self._numbers = itertools.count()
        self._back: queue.SimpleQueue[Future[Any]] = queue.SimpleQueue()

    def do(self, tasks: Iterable[Task]) -> Iterator[PairResult]:
        left = deque(tasks)
        with _without_log():
            try:
                while left or self._under_way or self._suspects:
                    places = self._watch.places()
                    self._hand_out(left, max(_AT_LEAST, _PER_PLACE * places))
                    for future in self._came_back():
                        if (result := self._answer(future, left)) is not None:
                            yield result
            finally:
                with contextlib.suppress(Exception):
                    self._client.cancel(list(self._under_way))

    def _hand_out(self, left: deque[Task], most: int) -> None:
        while left and self._watch.has_workers and len(self._under_way) < most:
            self._submit(left.popleft())
        if self._suspects and not (left or self._under_way):
            self._submit(self._suspects.popleft())

    def _submit(self, task: Task) -> None:
        future = self._client.submit(
            self._work,
            self._settings,
            task.absolute(),
            resources={RESOURCE: 1},
            pure=False,
            key=f"pair-{task.index}-{next(self._numbers)}",
        )
        self._under_way[future] = task
        future.add_done_callback(self._back.put)

    def _came_back(self) -> Iterator["Future[Any]"]:
        """All that are back, if none then after a while."""
        with contextlib.suppress(queue.Empty):
            yield self._back.get(timeout=_BETWEEN_LOOKS)
            while True:
                yield self._back.get_nowait()

    def _answer(self, future: "Future[Any]", left: deque[Task]) -> PairResult | None:
        """What came of a pair; `None` if it is tried again."""
        from distributed import KilledWorker

        task = self._under_way.pop(future)
        try:
            answer = future.result(timeout=_TO_CONNECT)
        except KilledWorker:
            return self._died_of(task)
        except (CancelledError, TimeoutError, OSError, KeyError) as error:
            # The worker died when the pair was written, before it could say so.
            reason = getattr(error, "reason", "")
            if reason == "scheduler-connection-lost" or not self._is_running:
                raise self._watch.gone() from error
            self._lost[task.index] += 1
            if self._lost[task.index] < _MOST_LOSSES:
                left.append(task)
                return None
            return failed(
                task, f"{task.pair.place}: the cluster lost it, again and again"
            )
        except Exception as error:
            told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            return failed(task, f"{task.pair.place}: a worker couldn't do it: {told}")
        if isinstance(answer, str):
            raise InputError(answer)
        return replace(answer, folder=task.folder)

    @property
    def _is_running(self) -> bool:
        return bool(self._client.status == "running")

    def _died_of(self, task: Task) -> PairResult | None:
        """Puts a pair that workers died of off until no other is under way.

        Dask can't tell which of the pairs that a worker had was to blame, and what one
        had stolen from another may have it die a moment later.
        """
        if self._alone[task.index] == _MOST_ALONE:
            return failed(
                task,
                f"{task.pair.place}: every worker died that registered it, also when "
                "there was nothing else to do; is there too little memory for this "
                "pair?",
            )
        self._alone[task.index] += 1
        self._suspects.append(task)
        return None


def _connected(address: str) -> "Client":
    """Connects to a scheduler.

    Raises:
        InputError: If it can't be reached, or Dask isn't installed.
    """
    try:
        import cloudpickle
        from distributed import Client
    except ImportError as error:
        raise InputError(
            "--scheduler: needs distributed, which isn't installed; `pip install "
            "'dlir-tf[cluster]'` brings it"
        ) from error
    cloudpickle.register_pickle_by_value(sys.modules[make_fit.__module__])
    file = Path(address)
    where: dict[str, Any] = {"address": address}
    if file.is_file():
        where = {"scheduler_file": address}
    try:
        with _without_log(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other versions of what both import
            return Client(**where, timeout=_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        raise InputError(
            f"--scheduler {address}: no Dask scheduler can be reached there "
            f"({type(error).__name__}); start one with `dask scheduler`, and give the "
            "address that it prints, such as tcp://HOST:8786"
        ) from error


@contextlib.contextmanager
def _without_log() -> Iterator[None]:
    """Hides what Dask logs of connections: what matters of it, we say."""
    log = logging.getLogger("distributed")
    before = log.level
    log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        log.setLevel(before)
