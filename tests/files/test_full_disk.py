"""On a full disk nothing is half written, and the good old file stays.

A disk of every size is played by a limit for the sizes of files, which Linux and macOS
have for a process: writing beyond it fails as it does on a full disk.
"""

import os
import subprocess
import sys

import pytest
from every_output import writers
from small_disks import mounted

resource = pytest.importorskip("resource", reason="Windows has no limits for a process")

OLD = b"OLD AND GOOD"

# Writes one output at every size of the disk; says what went wrong.
CHILD = """
import os, resource, signal, sys, warnings
from pathlib import Path
from dlir_tf.errors import WriteError
from every_output import writers

warnings.simplefilter("ignore")
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
folder, every = Path(sys.argv[1]), writers()
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]


def written(path):
    return {p.name: p.read_bytes() for p in sorted(path.parent.iterdir())}


def limits(name, size):
    count = 6 if name.endswith(".png") else 20
    blocks = range(4096 * max(0, size // 4096 - 3), size, 4096)
    near = {size - 9, size - 2, size - 1, size, size + 1}
    return sorted({0, 1, *near, *blocks, *range(0, size, max(1, size // count))})


for name in sys.argv[2].split():
    path = folder / name / name
    path.parent.mkdir()
    every[name](path)
    whole = written(path)
    for limit in limits(name, max(map(len, whole.values()))):
        for made in whole:
            (path.parent / made).write_bytes(b"OLD AND GOOD")
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        try:
            every[name](path)
        except WriteError as error:
            failed = error
        else:
            failed = None
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        found = written(path)
        if failed and set(found.values()) != {b"OLD AND GOOD"}:
            print(name, limit, "failed, but what was there is gone", failed)
        if failed and (set(found) != set(whole) or str(path.parent) not in str(failed)):
            print(name, limit, "isn't cleaned up or named:", set(found), failed)
        if not failed and {k: len(v) for k, v in found.items()} != {
            k: len(v) for k, v in whole.items()
        }:
            print(name, limit, "said nothing, but is incomplete")
        room = 2**21 if name.endswith((".h5", ".hdf5")) else 0  # by files.reserve
        if failed and limit > room + max(map(len, whole.values())):
            print(name, limit, "failed, though there was room", failed)
print("done")
"""


def run(folder, names, program=CHILD):
    return subprocess.run(
        [sys.executable, "-c", program, str(folder), " ".join(names)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )


KINDS = {
    "images": ("image", "frames", "field"),
    "transforms": ("transform",),
    "others": ("picture", "report", "evaluation", "points", "checkpoint", "model"),
}


def test_no_output_is_left_out():
    starts = tuple(start for kind in KINDS.values() for start in kind)
    assert [name for name in writers() if not name.startswith(starts)] == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_disk_of_any_size_keeps_the_old_or_has_the_new(tmp_path, kind):
    names = [name for name in writers() if name.startswith(KINDS[kind])]
    done = run(tmp_path, names)
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr


FILLED = """
import sys, warnings
from pathlib import Path
from dlir_tf.errors import WriteError
from every_output import writers

warnings.simplefilter("ignore")
disk, every = Path(sys.argv[1]), writers()
for name in sys.argv[2].split():
    path, filler = disk / name / name, disk / "filler"
    path.parent.mkdir()
    every[name](path)
    whole = {p.name: p.stat().st_size for p in path.parent.iterdir()}
    for share in (0.0, 0.3, 0.6, 0.9, 1.5):
        for made in whole:
            (path.parent / made).write_bytes(b"OLD AND GOOD")
        try:
            with filler.open("wb", buffering=0) as stream:
                while stream.write(bytes(4096)) == 4096:
                    pass
        except OSError:
            pass
        free = 4096 * round(share * sum(whole.values()) / 4096)
        with filler.open("rb+") as stream:
            stream.truncate(max(0, filler.stat().st_size - free))
        try:
            every[name](path)
        except WriteError:
            if {p.read_bytes() for p in path.parent.iterdir()} != {b"OLD AND GOOD"}:
                print(name, share, "failed, but what was there is gone")
        else:
            if {p.name: p.stat().st_size for p in path.parent.iterdir()} != whole:
                print(name, share, "said nothing, but is incomplete")
        filler.unlink()
    for made in whole:
        (path.parent / made).unlink()
print("done")
"""


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of two megabytes, where a test may have one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    with mounted(disk):
        yield disk


@pytest.mark.parametrize("kind", ["images", "transforms"])
def test_a_disk_that_is_really_full(tiny_disk, kind):
    names = [name for name in writers() if name.startswith(KINDS[kind])]
    done = run(tiny_disk, names, FILLED)
    assert (done.stdout, done.returncode) == ("done\n", 0), done.stderr
