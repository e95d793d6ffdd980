"""A cohort that is broken off, however that is, goes on where it was."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cohort_desk import act, contents, registered, rows, undisturbed
from shifting_model import write_pairs
from small_disks import mounted, room_for

from dlir_tf.errors import InputError

PROGRAM = """
from dlir_tf.cohort import register_pairs
from shifting_model import load

if __name__ == "__main__":
    list(register_pairs("in/pairs.csv", "out", load=load, jobs={jobs}))
"""


def whole(here):
    return {path.parent.name for path in (here / "out").glob("p*/pair.json")}


def broken_off(here, number, jobs=1):
    """Starts a process that registers all pairs, and ends it after the second one."""
    program = here / "program.py"
    program.write_text(PROGRAM.format(jobs=jobs))
    samples = Path(__file__).parents[1] / "samples"
    path = os.pathsep.join([str(samples), *sys.path])
    environment = os.environ | {"PYTHONPATH": path}
    process = subprocess.Popen(
        [sys.executable, str(program)], env=environment, stderr=subprocess.DEVNULL
    )
    limit = time.monotonic() + 120
    while len(whole(here)) < 2 and time.monotonic() < limit:
        time.sleep(0.02)
    process.send_signal(number)
    assert process.wait(timeout=60) != 0
    time.sleep(1.0)  # until its own processes have seen that they are alone
    return whole(here)


@pytest.mark.parametrize(
    ("number", "jobs"),
    [(signal.SIGKILL, 1), (signal.SIGINT, 1), (signal.SIGKILL, 2)],
    ids=["killed", "ctrl-c", "killed, with two jobs"],
)
def test_a_process_that_ends_in_the_middle_loses_nothing(here, number, jobs):
    names = [f"p{n}" for n in range(8)]
    write_pairs(here / "in", len(names), extras=True)
    act(here, **dict.fromkeys(names, "sleep 0.3"))
    done = broken_off(here, number, jobs)
    assert len(done) < len(names)
    act(here)
    results = registered()
    assert done <= {name for name, result in results.items() if not result.is_new}
    assert any(result.is_new for result in results.values())
    assert {result.problem for result in results.values()} == {""}
    assert [row["verdict"] for row in rows(here)] == ["PASS"] * len(names)
    assert {name: contents(here / "out" / name) for name in names} == undisturbed(names)
    assert not list((here / "out").rglob(".unfinished*"))


def test_a_disk_that_fills_up_ends_it_with_a_sentence_and_loses_nothing(here):
    names = [f"p{n}" for n in range(10)]
    write_pairs(here / "in", len(names))
    (here / "out").mkdir()
    with mounted(here / "out", megabytes=8):
        with (
            room_for(here / "out", 160_000),
            pytest.raises(InputError, match="the disk is full") as caught,
        ):
            registered()
        assert str(caught.value).count("\n") == 0
        done = whole(here)
        assert 2 <= len(done) < len(names)
        results = registered()
        assert done == {name for name, result in results.items() if not result.is_new}
        assert [row["verdict"] for row in rows(here)] == ["PASS"] * len(names)
        found = {name: contents(here / "out" / name) for name in names}
    assert found == undisturbed(names)
