"""Whether a process that is alive uses a folder, told by a lock on a file in it.

The operating system takes such a lock back when the process ends, however it does.
"""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # on Windows, where nobody is ever known to have gone
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"


@contextlib.contextmanager
def locked(folder: Path, *, certainly: bool = False) -> Iterator[bool]:
    """Holds a folder's lock within the block.

    Args:
        folder: A folder; the file in it that is locked is there only meanwhile.
        certainly: Whether it isn't ours, either, where the file system has no locks.

    Yields:
        Whether the lock is ours: not if another process holds it, or another block,
        or the folder went while it was being locked.
    """
    path = folder / LOCK
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    ours = False
    try:
        ours = _take(descriptor, unknown=not certainly) and _is(path, descriptor)
        yield ours
    finally:
        if ours:
            with contextlib.suppress(OSError):
                path.unlink()
        os.close(descriptor)


@contextlib.contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Waits until no other process is in such a block of this folder, and keeps it.

    Where the file system has no locks, or another process is stuck in its block for
    half a minute, nobody waits longer.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:  # on Windows, which doesn't open folders
        yield
        return
    try:
        for _ in range(3000):
            if _take(descriptor, unknown=True):
                break
            time.sleep(0.01)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, *, unknown: bool) -> bool:
    """Takes the lock without waiting."""
    if fcntl is None:
        return unknown
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return unknown
    return True


def _is(path: Path, descriptor: int) -> bool:
    """Whether the file at a path is still the one that was opened."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except OSError:
        return False
