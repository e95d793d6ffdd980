"""How much memory there is for this process."""

import sys
from pathlib import Path

_PROC = Path("/proc")
_GROUP = Path("/sys/fs/cgroup")


def free_memory() -> int | None:
    """Bytes that this process may still take, or `None` if the system doesn't say.

    On Linux: what the machine has free, what a container's limit leaves, and what
    `ulimit -v` leaves, whichever is least.
    """
    limits = [_of_machine(), _of_container(), _of_process()]
    known = [max(each, 0) for each in limits if each is not None]
    return min(known, default=None)


def _of_machine() -> int | None:
    return _kilobytes(_PROC / "meminfo", "MemAvailable")


def _of_container() -> int | None:
    limit, used = (_number(_GROUP / f"memory.{n}") for n in ("max", "current"))
    return None if limit is None or used is None else limit - used


def _of_process() -> int | None:
    used = _kilobytes(_PROC / "self" / "status", "VmSize")
    if used is None:
        return None
    import resource  # Windows has none

    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit - used


def _kilobytes(file: Path, name: str) -> int | None:
    """A row like `MemAvailable:   12345 kB` in bytes."""
    if sys.platform != "linux":
        return None
    try:
        rows = [row.split() for row in file.read_text("ascii").splitlines()]
    except (OSError, ValueError):
        return None
    found = [row[1] for row in rows if row and row[0] == f"{name}:"]
    return 1024 * int(found[0]) if found else None


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text("ascii"))
    except (OSError, ValueError):  # there is no limit: `max`
        return None
