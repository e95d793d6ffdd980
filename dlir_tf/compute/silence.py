"""Running C++ code that says more than a user wants to know."""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

# Stderr is of the whole process: two threads that shut it would leave it shut.
_one_at_a_time = threading.RLock()


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Shuts stderr meanwhile, for C++ code and other threads too.

    One thread at a time does.
    """
    with _one_at_a_time, _shut():
        yield


@contextlib.contextmanager
def heard() -> Iterator[None]:
    """Waits until no other thread has stderr shut, and keeps it open meanwhile."""
    with _one_at_a_time:
        yield


@contextlib.contextmanager
def _shut() -> Iterator[None]:
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
