"""What a killed process leaves is removed by the next; what a living one has isn't."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dlir_tf.files import drafts, replacing
from dlir_tf.files.locks import LOCK, locked

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")

CHILD = """
import sys, time
from pathlib import Path
from dlir_tf.files import replacing

with replacing(Path(sys.argv[1])) as unfinished:
    unfinished.write_text("half")
    print(unfinished.parent.parent.name, flush=True)
    time.sleep(60)
"""


def start(path):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def write(path, text):
    with replacing(path) as unfinished:
        unfinished.write_text(text)


def test_only_what_nobody_owns_any_more_is_removed(tmp_path):
    child = start(tmp_path / "a.txt")
    assert child.stdout is not None
    draft = tmp_path / child.stdout.readline().strip()
    write(tmp_path / "b.txt", "while the other lives")
    assert (draft / "0" / "a.txt").read_text() == "half"
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert (draft / "0" / "a.txt").exists()
    write(tmp_path / "b.txt", "after it was killed")
    assert [entry.name for entry in tmp_path.iterdir()] == ["b.txt"]


def test_our_own_drafts_are_left_alone(tmp_path):
    with replacing(tmp_path / "a.txt") as unfinished:
        unfinished.write_text("a")
        write(tmp_path / "b.txt", "b")
        thread = threading.Thread(target=write, args=(tmp_path / "c.txt", "c"))
        thread.start()
        thread.join()
        assert unfinished.read_text() == "a"
    found = {entry.name: entry.read_text() for entry in tmp_path.iterdir()}
    assert found == {"a.txt": "a", "b.txt": "b", "c.txt": "c"}


def test_folders_of_other_names_and_what_is_no_folder_stay(tmp_path):
    (tmp_path / "unfinished-thesis").mkdir()
    (tmp_path / ".unfinished-note").write_text("mine")
    (tmp_path / ".unfinished-old").mkdir()
    (tmp_path / ".unfinished-old" / "half.nii").touch()
    write(tmp_path / "a.txt", "a")
    names = sorted(entry.name for entry in tmp_path.iterdir())
    assert names == [".unfinished-note", "a.txt", "unfinished-thesis"]


def test_a_file_system_without_locks_keeps_all(tmp_path, monkeypatch):
    from dlir_tf.files import locks

    def refuse(*_):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    (tmp_path / ".unfinished-old").mkdir()
    write(tmp_path / "a.txt", "a")
    names = sorted(entry.name for entry in tmp_path.iterdir())
    assert names == [".unfinished-old", "a.txt"]


def test_a_draft_that_is_taken_for_abandoned_is_made_anew(tmp_path, monkeypatch):
    """Another process may come between the making of a folder and its lock."""
    make, made = drafts.tempfile.mkdtemp, []

    def meanwhile(**where):
        made.append(make(**where))
        if len(made) == 1:
            shutil.rmtree(made[0])
        if len(made) == 2:
            other.enter_context(locked(Path(made[1])))
        return made[-1]

    monkeypatch.setattr(drafts.tempfile, "mkdtemp", meanwhile)
    with contextlib.ExitStack() as other:
        write(tmp_path / "a.txt", "a")
        assert len(made) == 3
        assert (Path(made[1]) / LOCK).exists()
    assert (tmp_path / "a.txt").read_text() == "a"


def test_a_lock_is_held_once(tmp_path):
    with locked(tmp_path) as first:
        with locked(tmp_path) as second:
            assert (first, second) == (True, False)
        assert (tmp_path / LOCK).exists()
    assert list(tmp_path.iterdir()) == []
    with locked(tmp_path) as again:
        assert again
