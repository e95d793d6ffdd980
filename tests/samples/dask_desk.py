"""A Dask cluster on the loopback: a scheduler and workers, a process each."""

import os
import subprocess
import sys
import time
from pathlib import Path

# Beside others in one process, a test must not find what another has left.
_ENVIRONMENT = {"DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
_WORKER = """
import dlir_tf._version
from distributed.cli.dask_worker import main

dlir_tf._version.__version__ = {version!r} or dlir_tf.__version__
main()
"""


class Cluster:
    """A scheduler, which has one pair tried again after one death, and its workers.

    Args:
        folder: For the file that says where it is, and for what it logs.
    """

    def __init__(self, folder):
        self.file, self._folder = folder / "scheduler.json", folder
        self._workers = []
        module = "distributed.cli.dask_scheduler"
        where = ["--host", "127.0.0.1", "--port", "0", "--scheduler-file", self.file]
        self.scheduler = self._start(["-m", module, *where, "--no-dashboard"])
        limit = time.monotonic() + 120
        while not self.file.exists() and time.monotonic() < limit:
            time.sleep(0.05)

    def need(self, count, version=""):
        """Sees that so many workers are there, or on their way."""
        self._workers = [one for one in self._workers if one.poll() is None]
        options = ["--nthreads", "2", "--no-nanny", "--no-dashboard"]
        where = ["--host", "127.0.0.1", "--scheduler-file", self.file]
        for _ in range(count - len(self._workers)):
            program = ["-c", _WORKER.format(version=version), *where, *options]
            self._workers.append(self._start(program))

    def have_none(self):
        """Ends all workers."""
        for one in self._workers:
            one.kill()
            one.wait()
        self._workers.clear()

    def close(self):
        self.have_none()
        self.scheduler.kill()
        self.scheduler.wait()

    def _start(self, arguments):
        samples = Path(__file__).parent
        path = os.pathsep.join([str(samples), str(samples.parents[1]), *sys.path])
        environment = os.environ | _ENVIRONMENT | {"PYTHONPATH": path}
        with (self._folder / "log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, *map(str, arguments)],
                env=environment,
                cwd=self._folder,
                stdout=log,
                stderr=log,
            )
