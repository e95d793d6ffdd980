"""Ctrl-C and SIGTERM are always heard, and leave nothing behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

from dlir_tf.files import Terminated, check_not_stopped, replacing, stoppable

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM")

SIGNALS = {signal.SIGINT: KeyboardInterrupt, signal.SIGTERM: Terminated}

# The command line in the midst of writing.
CHILD = """
import sys, time
from pathlib import Path
import click
from dlir_tf.cli import main
from dlir_tf.cli.main import group
from dlir_tf.files import replacing

@group.command("write")
@click.argument("path", type=click.Path(path_type=Path))
def write(path):
    with replacing(path) as unfinished:
        unfinished.write_text("half")
        print("ready", flush=True)
        time.sleep(60)

group.get_command = lambda *_: write
main(["write", sys.argv[1]])
"""


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "Interrupted."), (signal.SIGTERM, 143, "Terminated.")],
)
def test_the_command_line_cleans_up_and_says_one_word(tmp_path, number, code, word):
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "a.txt")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(number)
    _, told = child.communicate(timeout=30)
    assert (child.returncode, told.strip()) == (code, word)
    assert list(tmp_path.iterdir()) == []


def lose(number):
    """Gets a signal where what it raises is lost, as in code that others run."""
    try:
        os.kill(os.getpid(), number)
        time.sleep(1)
    except KeyboardInterrupt:
        pass


@pytest.mark.parametrize(("number", "kind"), SIGNALS.items())
def test_what_got_lost_is_heard_before_a_file_takes_its_place(tmp_path, number, kind):
    after = []

    def write():
        with replacing(tmp_path / "a.txt") as unfinished:
            unfinished.write_text("whole")
            lose(number)
            after.append("went on")
        after.append("took its place")

    with pytest.raises(kind), stoppable():
        write()
    assert after == ["went on"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("error", [None, RuntimeError("of C++"), SystemExit(0)])
def test_what_got_lost_is_heard_at_the_end(error):
    def work():
        lose(signal.SIGTERM)
        if error is not None:
            raise error

    with pytest.raises(Terminated), stoppable():
        work()


def test_afterwards_all_is_as_before():
    before = [signal.getsignal(number) for number in SIGNALS]
    with pytest.raises(KeyboardInterrupt), stoppable():
        lose(signal.SIGINT)
    assert [signal.getsignal(number) for number in SIGNALS] == before
    check_not_stopped()
    with stoppable():
        pass


def test_what_is_ignored_stays_ignored():
    """A shell lets its background jobs ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with stoppable():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)
    finally:
        signal.signal(signal.SIGINT, before)
