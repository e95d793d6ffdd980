"""Disks with little room, played for this process or really made."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest

PAGE = 4096


@contextlib.contextmanager
def largest_file(num_bytes):
    """A disk on which no file can be larger; Windows has no such limit."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


@contextlib.contextmanager
def mounted(folder, megabytes=2):
    """A disk of its own in a folder, where a test has the rights for it."""
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
    if sys.platform != "linux" or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("a small disk can't be mounted: that takes the rights for it")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


@contextlib.contextmanager
def room_for(disk, num_bytes):
    """A mounted disk that is full but for so many bytes, in pages."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as stream:
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        stream.write(bytes(max(0, free - num_bytes // PAGE * PAGE)))
    try:
        yield
    finally:
        filler.unlink()
