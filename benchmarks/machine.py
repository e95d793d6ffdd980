"""What a measurement needs to know of the machine: threads, memory, load."""

import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

# Every library that is compared asks one of these, when it is loaded.
_THREAD_VARIABLES = (
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)


# What `dlir-tf` itself tells TensorFlow: see `dlir_tf.cli.work.quiet`.
_AS_COMMANDS = {"TF_ENABLE_ONEDNN_OPTS": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}


def thread_environment(threads: int) -> dict[str, str]:
    """The environment of a process whose libraries use so many threads."""
    own = dict.fromkeys(_THREAD_VARIABLES, str(threads))
    return {**_AS_COMMANDS, **os.environ, **own}


def as_commands_do() -> None:
    """Before TensorFlow is imported: has it work, and talk, as in our commands."""
    for name, value in _AS_COMMANDS.items():
        os.environ.setdefault(name, value)


def keep_to_cores(count: int) -> None:
    """Lets this process use so many cores, whatever its libraries count; on Linux."""
    if hasattr(os, "sched_setaffinity"):
        allowed = sorted(os.sched_getaffinity(0))
        if count < len(allowed):
            os.sched_setaffinity(0, allowed[:count])


def num_cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def peak_bytes() -> int:
    """The most memory that this process has had so far.

    Linux hands `ru_maxrss` on from the process that started this one, so its own
    record is asked first.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def load_average() -> float:
    """How many processes wanted a core in the last minute."""
    return round(os.getloadavg()[0], 1)


def versions(packages: Sequence[str]) -> dict[str, str]:
    """The installed versions of packages, by their names on PyPI."""
    from importlib.metadata import version

    return {package: version(package) for package in packages}
