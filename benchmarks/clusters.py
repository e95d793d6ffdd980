"""Dask clusters on the loopback, for what is measured with them."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

# Many workers in one process: they only wait, and 64 processes would take the memory.
_MANY = """
import asyncio, sys
from distributed import Worker

async def main():
    workers = [
        await Worker(scheduler_file=sys.argv[1], nthreads=3, heartbeat_interval="5 s")
        for _ in range(int(sys.argv[2]))
    ]
    await asyncio.gather(*(worker.finished() for worker in workers))

asyncio.run(main())
"""


@contextlib.contextmanager
def cluster(
    workers: int,
    *,
    in_one_process: bool = False,
    told: dict | None = None,
    log_length: int | None = None,
) -> Iterator[str]:
    """Starts a scheduler and workers, and ends them with the block.

    Args:
        workers: How many.
        in_one_process: Whether one process is all of them.
        told: Gets the scheduler's process number, as `scheduler`.
        log_length: How many of its latest messages to each worker the scheduler keeps;
            `None` for as many as Dask chooses.

    Yields:
        The file with the scheduler's address.
    """
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        file = folder / "scheduler.json"
        options = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", file]
        start = _starter(stack, folder / "log", log_length)
        module = ["-m", "distributed.cli.dask_scheduler"]
        scheduler = start([*module, *options, "--port", "0"])
        while not file.exists():
            time.sleep(0.05)
        if in_one_process:
            start(["-c", _MANY, file, workers])
        else:
            for _ in range(workers):
                module = ["-m", "distributed.cli.dask_worker"]
                start([*module, *options, "--nthreads", 3, "--no-nanny"])
        if told is not None:
            told["scheduler"] = scheduler.pid
        yield str(file)


def _starter(stack: contextlib.ExitStack, log: Path, log_length: int | None):
    root = Path(__file__).resolve().parents[1]
    path = os.pathsep.join([str(root), str(root / "benchmarks"), *sys.path])
    environment = os.environ | {"PYTHONPATH": path}
    if log_length is not None:
        environment["DASK_DISTRIBUTED__ADMIN__LOW_LEVEL_LOG_LENGTH"] = str(log_length)

    def start(arguments: list) -> subprocess.Popen:
        stream = stack.enter_context(log.open("a"))
        process = subprocess.Popen(
            [sys.executable, *map(str, arguments)],
            env=environment,
            stdout=stream,
            stderr=stream,
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        return process

    return start
