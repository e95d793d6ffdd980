"""The pairs of a cohort, registered by several processes of this machine.

Each process loads the model once, and has some of the cores for itself. One that dies,
or is killed for its memory, costs only the pairs that it had in hand, which are tried
again: one at a time, since any of them may have been to blame.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from dlir_tf.cohort.registrar import GivenUpError, Registrar
from dlir_tf.cohort.result import PairResult, Task, failed
from dlir_tf.cohort.settings import Settings
from dlir_tf.cohort.threads import PAIRS_AT_A_TIME
from dlir_tf.errors import InputError

# How often a process may die of one pair, and how often one after another before it's
# none of the pairs that is to blame.
MOST_DEATHS = 2
MOST_IN_A_ROW = 12


@dataclass(eq=False)
class _Worker:
    """A process, which share of the cores it has, and the pairs that it has in hand."""

    number: int
    process: BaseProcess
    connection: Connection
    tasks: dict[int, Task] = field(default_factory=dict)


def registered_by_processes(
    tasks: Iterable[Task], settings: Settings, jobs: int
) -> Iterator[PairResult]:
    """Registers pairs, and yields what came of each as soon as it is written.

    Args:
        tasks: The pairs.
        settings: How, `prepared`.
        jobs: How many processes.

    Raises:
        InputError: What ends all: a full disk, a server that has gone. What is done by
            then was yielded before.
    """
    left = deque(tasks)
    jobs = min(jobs, len(left))
    deaths: dict[int, int] = {}
    in_a_row = 0
    problem: InputError | None = None
    with _workers(settings, jobs) as workers:
        while problem is None and (left or any(each.tasks for each in workers)):
            for each in workers:
                _hand_out(each, left, deaths)
            ready = wait([each.connection for each in workers])
            for each in [one for one in workers if one.connection in ready]:
                try:
                    result = each.connection.recv()
                except (EOFError, OSError):
                    yield from _buried(each, left, deaths)
                    workers[workers.index(each)] = _start(settings, each.number, jobs)
                    in_a_row += 1
                    if in_a_row == MOST_IN_A_ROW:
                        problem = problem or _too_many_deaths(jobs)
                    continue
                in_a_row = 0
                if isinstance(result, InputError):
                    problem = problem or result
                elif isinstance(result, str):
                    warnings.warn(result, stacklevel=2)
                else:
                    del each.tasks[result.index]
                    yield result
    if problem is not None:
        raise problem


def _hand_out(worker: _Worker, left: deque[Task], deaths: dict[int, int]) -> None:
    """Gives a process what it can take, but a pair that one has died of alone."""
    while left and len(worker.tasks) < PAIRS_AT_A_TIME:
        alone = left[0].index in deaths or any(i in deaths for i in worker.tasks)
        if alone and worker.tasks:
            return
        task = left.popleft()
        worker.tasks[task.index] = task
        with contextlib.suppress(OSError):  # it has died, which is seen soon
            worker.connection.send(task)


def _buried(
    worker: _Worker, left: deque[Task], deaths: dict[int, int]
) -> Iterator[PairResult]:
    """Puts the pairs of a dead process back, but those it has died of too often."""
    worker.process.join()
    code = worker.process.exitcode or 0
    how = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    for task in worker.tasks.values():
        deaths[task.index] = deaths.get(task.index, 0) + 1
        if deaths[task.index] < MOST_DEATHS:
            left.append(task)
        else:
            yield failed(
                task,
                f"{task.pair.place}: the process that registered it ended by {how}, "
                f"{MOST_DEATHS} times; is there too little memory for this pair?",
            )


def _too_many_deaths(jobs: int) -> InputError:
    return InputError(
        f"{MOST_IN_A_ROW} processes ended one after another, and none registered a "
        f"pair; is there too little memory for {jobs} jobs? Give a smaller --jobs"
    )


@contextlib.contextmanager
def _workers(settings: Settings, jobs: int) -> Iterator[list[_Worker]]:
    workers: list[_Worker] = []
    try:
        workers += [_start(settings, number, jobs) for number in range(jobs)]
        yield workers
    finally:
        for each in workers:
            with contextlib.suppress(OSError):
                each.connection.send(None)  # it isn't needed any more
            each.connection.close()
        for each in workers:
            each.process.join()


def _start(settings: Settings, number: int, jobs: int) -> _Worker:
    # Forked, it would inherit TensorFlow's threads, or rather their locks alone.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=_serve, args=(theirs, settings, number, jobs), daemon=True
    )
    process.start()
    theirs.close()
    return _Worker(number, process, ours)


def _serve(connection: Connection, settings: Settings, number: int, jobs: int) -> None:
    """What a process does: takes pairs until nobody gives any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it hears that
    _take_share(number, jobs)
    registrar, turn = Registrar(settings), threading.Lock()

    def send(message: Any) -> None:
        with contextlib.suppress(OSError), turn:
            connection.send(message)

    def warn(
        message: Warning | str, category: type[Warning], *_: Any, **__: Any
    ) -> None:
        if issubclass(category, UserWarning):
            send(f"{message}")

    warnings.showwarning = warn
    pool = ThreadPoolExecutor(PAIRS_AT_A_TIME, "pair")

    def work(task: Task) -> None:
        try:
            send(registrar.do(task))
        except InputError as error:
            send(InputError(str(error)))
        except GivenUpError:
            return

    try:
        while (task := connection.recv()) is not None:
            pool.submit(work, task)
    except (EOFError, OSError):
        # Whoever started it was killed. Somebody may be going on already, whom another
        # that writes to the same folders would disturb.
        os._exit(1)
    registrar.stop()
    pool.shutdown(cancel_futures=True)


def _take_share(number: int, jobs: int) -> None:
    """Keeps to this process's share of the cores, and of a GPU's memory to its need."""
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        share = [
            core for i, core in enumerate(cores) if i * jobs // len(cores) == number
        ]
        if share:
            os.sched_setaffinity(0, share)
