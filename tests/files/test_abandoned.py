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


# Writes a pair, and is killed at one of its renames, before or after it.
KILLED = """
import os, signal, sys
from pathlib import Path
from dlir_tf.files import replacing

number, after = int(sys.argv[2]), sys.argv[3] == "after"
count, replace = 0, Path.replace

def kill(draft, target):
    global count
    count += 1
    if count == number and not after:
        os.kill(os.getpid(), signal.SIGKILL)
    replace(draft, target)
    if count == number:
        os.kill(os.getpid(), signal.SIGKILL)

Path.replace = kill
head = Path(sys.argv[1])
with replacing(head) as unfinished:
    unfinished.with_name("a.nii").write_text("new")
    unfinished.write_text("new")
"""


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("old", "number"),
    [*((True, number) for number in (1, 2, 3, 4)), (False, 1), (False, 2)],
)
def test_a_pair_is_never_lost_by_a_kill(tmp_path, number, moment, old):
    """Nor mixed: the next one that writes there finds the old pair, or the new one."""
    pair = {tmp_path / "a.mat": "old", tmp_path / "a.nii": "old"}
    if old:
        for path, text in pair.items():
            path.write_text(text)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "a.mat"), str(number), moment],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert killed.returncode == -signal.SIGKILL
    if (tmp_path / "a.mat").exists():
        found = [path.read_text() for path in pair]
        assert len(set(found)) == 1
    write(tmp_path / "b.txt", "next")
    found = [path.read_text() for path in pair]
    kept = old and (number, moment) == (1, "before")
    assert found == (["old", "old"] if kept else ["new", "new"])
    assert len(list(tmp_path.iterdir())) == 3


# Writes several files, and is killed at one of its renames.
ALL_KILLED = (
    KILLED.partition("head = ")[0]
    + """
from dlir_tf.files import write_together

def write(path):
    path.write_text("new")

folder = Path(sys.argv[1])
write_together({folder / name: write for name in ("moved", "t", "report")})
"""
)


@pytest.mark.parametrize("number", range(1, 8))
@pytest.mark.parametrize("old", [("moved", "t", "report"), ("t",), ()])
def test_the_files_of_a_command_are_never_mixed_by_a_kill(tmp_path, number, old):
    """A new image beside the transform or the report of another would mislead."""
    names = ("moved", "t", "report")

    def found():
        there = [name for name in names if (tmp_path / name).exists()]
        return {name: (tmp_path / name).read_text() for name in there}

    for name in old:
        (tmp_path / name).write_text("old")
    killed = subprocess.run(
        [sys.executable, "-c", ALL_KILLED, str(tmp_path), str(number), "before"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    left = -signal.SIGKILL if number <= len(old) + 3 else 0
    assert killed.returncode == left
    assert len(set(found().values())) <= 1
    write(tmp_path / "next", "next")
    assert len(set(found().values())) == 1
    assert set(found()) == set(old if set(found().values()) == {"old"} else names)
    assert ("old" in found().values()) == (bool(old) and number == 1)
    assert len(list(tmp_path.iterdir())) == len(found()) + 1


@pytest.mark.parametrize("name", ["a.nii", "../secret", "0/../../secret", "/secret"])
def test_a_list_that_nobody_of_ours_wrote_moves_nothing(tmp_path, name):
    (tmp_path / "secret").write_text("secret")
    draft = tmp_path / "sub" / ".unfinished-abc" / "0"
    draft.mkdir(parents=True)
    (draft.parent / ".moving").write_text(f'[["{name}", [1, 2, 3], null]]')
    write(tmp_path / "sub" / "b.txt", "next")
    assert sorted(p.name for p in tmp_path.rglob("*")) == ["b.txt", "secret", "sub"]


@pytest.mark.parametrize("kind", ["pipe", "folder", "nested", "number"])
def test_what_is_no_list_is_left_unread(tmp_path, kind):
    moving = tmp_path / ".unfinished-abc" / ".moving"
    moving.parent.mkdir()
    if kind == "pipe":
        os.mkfifo(moving)
    elif kind == "folder":
        moving.mkdir()
    else:
        moving.write_text("[" * 100_000 if kind == "nested" else "7")
    write(tmp_path / "a.txt", "a")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("length", [0, 5, 29])
def test_a_list_that_was_being_written_counts_for_nothing(tmp_path, length):
    (tmp_path / "a.nii").write_text("old")
    draft = tmp_path / ".unfinished-abc" / "0"
    draft.mkdir(parents=True)
    (draft / "a.nii").write_text("new")
    listed = '[["0/a.nii", [1, 2, 3], null]]'
    (draft.parent / ".moving").write_text(listed[:length])
    write(tmp_path / "b.txt", "next")
    assert (tmp_path / "a.nii").read_text() == "old"
    assert not draft.exists()


def test_what_others_wrote_since_is_left_alone(tmp_path):
    for name in ("a.mat", "a.nii"):
        (tmp_path / name).write_text("old")
    command = [sys.executable, "-c", KILLED, str(tmp_path / "a.mat"), "1", "after"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(command, env=environment, check=False)
    for name in ("a.mat", "a.nii"):
        (tmp_path / name).write_text("theirs")
    write(tmp_path / "b.txt", "next")
    found = [(tmp_path / name).read_text() for name in ("a.mat", "a.nii")]
    assert found == ["theirs", "theirs"]
    assert len(list(tmp_path.iterdir())) == 3
