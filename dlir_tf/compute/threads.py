"""Work spread over the processor's cores, in threads that are kept."""

import contextvars
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")

_here = threading.local()


def in_threads(work: Callable[..., T], *arguments: Iterable[Any]) -> list[T]:
    """Calls `work` with each set of arguments, several at a time.

    For functions that spend their time in NumPy and SciPy, which let other threads
    work meanwhile. Called from within such a function, it goes on in the thread that
    it's in.

    Args:
        work: Its first error is raised.
        arguments: As for `map`.

    Returns:
        The results, in order.
    """
    if getattr(_here, "is_worker", False):
        return list(map(work, *arguments))
    return list(_pool().map(work, *arguments))


def side_by_side(
    work: Callable[..., object], rows: Sequence[Iterable[tuple[Any, ...]]]
) -> None:
    """Calls `work` with all arguments of a row in turn, and with several rows at once.

    Each row has a thread of its own, unless there is only one. Once a call has failed,
    or the program is to stop, no further ones are made.

    Args:
        work: Of these errors, that of the first row is raised.
        rows: Of arguments.
    """
    if len(rows) == 1:
        for arguments in rows[0]:
            work(*arguments)
        return
    over = threading.Event()

    def go_along(row: Iterable[tuple[Any, ...]]) -> None:
        for arguments in row:
            if over.is_set():
                return
            try:
                work(*arguments)
            except BaseException:
                over.set()
                raise

    with ThreadPoolExecutor(len(rows), "dlir-tf-row") as pool:
        context = contextvars.copy_context
        going = [pool.submit(context().run, go_along, row) for row in rows]
        try:
            for one in going:
                one.result()
        finally:
            over.set()


def num_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def _pool() -> ThreadPoolExecutor:
    # To start threads for every call would take longer than many a call.
    return ThreadPoolExecutor(num_cores(), "dlir-tf", initializer=_mark_worker)


def _mark_worker() -> None:
    _here.is_worker = True


if hasattr(os, "register_at_fork"):
    # A forked process has none of the threads.
    os.register_at_fork(after_in_child=_pool.cache_clear)
