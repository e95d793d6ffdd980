"""The pairs of a cohort, registered in this process.

While one is registered, the next is read and the one before is written.
"""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager

from dlir_tf.cohort.registrar import GivenUpError, Registrar
from dlir_tf.cohort.result import PairResult, Task
from dlir_tf.errors import InputError

# One is read, one registered, one written.
PAIRS_AT_A_TIME = 3


def registered_here(
    tasks: Iterable[Task], registrar: Registrar, at_a_time: int = PAIRS_AT_A_TIME
) -> Iterator[PairResult]:
    """Registers pairs, and yields what came of each as soon as it is written.

    Args:
        tasks: The pairs.
        registrar: Registers one after another, however many it is given at a time.
        at_a_time: How many are read, registered and written at a time.

    Raises:
        InputError: What ends all: a full disk, a server that has gone. What is done by
            then was yielded before.
    """
    left, ended = iter(tasks), False
    waiting: set[Future[PairResult]] = set()
    problem: InputError | None = None
    with _pool(at_a_time, registrar.stop) as submit:
        while waiting or not ended:
            while not ended and problem is None and len(waiting) < at_a_time:
                if (task := next(left, None)) is None:
                    ended = True
                else:
                    waiting.add(submit(registrar.do, task))
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                try:
                    yield future.result()
                except GivenUpError:
                    continue
                except InputError as error:
                    problem, ended = problem or error, True
                    registrar.stop()
    if problem is not None:
        raise problem


@contextmanager
def _pool(
    size: int, stop: Callable[[], None]
) -> Iterator[Callable[..., "Future[PairResult]"]]:
    """Threads that end with the block; if that fails, without finishing their work."""
    pool = ThreadPoolExecutor(size, "pair")
    try:
        yield pool.submit
    except BaseException:
        stop()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
