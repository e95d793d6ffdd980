"""Files are there whole or not at all."""

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from dlir_tf.errors import InputError, WriteError
from dlir_tf.files import known_as, replacing, write_together


def _names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_new_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "scan.nii.gz"
    with replacing(path) as unfinished:
        unfinished.write_text("whole")
        assert not path.exists()
        assert unfinished.parents[2] == path.parent
        assert unfinished.name.endswith(".nii.gz")
    assert path.read_text() == "whole"
    assert _names(tmp_path) == ["scan.nii.gz"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(error), replacing(path) as unfinished:  # noqa: PT012
        unfinished.write_text("ha")
        raise error
    assert path.read_text() == "old"
    assert _names(tmp_path) == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no umask")
def test_a_result_is_as_readable_as_any_other_file(tmp_path):
    before = os.umask(0o027)
    try:
        with replacing(tmp_path / "a.txt") as unfinished:
            unfinished.write_text("whole")
    finally:
        os.umask(before)
    assert (tmp_path / "a.txt").stat().st_mode & 0o777 == 0o640


def test_a_missing_folder_is_named_not_the_draft(tmp_path):
    path = tmp_path / "none" / "a.txt"
    with pytest.raises(WriteError) as caught, replacing(path):
        pass
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(path))
    assert str(caught.value).endswith("its folder doesn't exist; make it first")


@pytest.mark.parametrize("names_the_draft", [False, True])
def test_what_the_disk_refuses_is_said_of_the_file_not_its_draft(
    tmp_path, names_the_draft
):
    path = tmp_path / "a.txt"
    with pytest.raises(OSError) as caught, replacing(path) as unfinished:  # noqa: PT011, PT012
        draft = (str(unfinished),) if names_the_draft else ()
        raise OSError(errno.ENOSPC, "No space left on device", *draft)
    error = caught.value
    assert (error.errno, error.filename) == (errno.ENOSPC, str(path))
    with pytest.raises(FileNotFoundError) as caught, replacing(path):
        (tmp_path / "source.txt").read_text()
    assert caught.value.filename == str(tmp_path / "source.txt")


def test_a_folder_in_the_way_is_left_alone(tmp_path):
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(OSError), replacing(tmp_path / "a.txt") as unfinished:  # noqa: PT011
        unfinished.write_text("whole")
    assert (tmp_path / "a.txt").is_dir()
    assert _names(tmp_path) == ["a.txt"]


def test_several_files_are_written_together(tmp_path):
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    write_together(
        {
            first: lambda path: path.write_text("one") and None,
            second: lambda path: path.write_text("two") and None,
        }
    )
    assert (first.read_text(), second.read_text()) == ("one", "two")


def test_if_one_of_several_fails_none_is_there(tmp_path):
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("old")

    def fail(path):
        path.write_text("half")
        raise InputError("is no good", place=path)

    with pytest.raises(InputError) as caught:
        write_together({first: lambda path: path.write_text("new"), second: fail})
    assert str(caught.value) == f"{second}: is no good"
    assert first.read_text() == "old"
    assert _names(tmp_path) == ["a.txt"]


def test_files_that_a_writer_puts_beside_its_own_come_with_it(tmp_path, monkeypatch):
    """The voxels of a header keep the name that the header says."""
    monkeypatch.chdir(tmp_path)

    def write(path):
        path.with_suffix(".raw").write_text("voxels")
        path.write_text(f"{path.stem}.raw")

    order, replace = [], Path.replace

    def note(draft, target):
        order.append(target.name)
        return replace(draft, target)

    monkeypatch.setattr(Path, "replace", note)
    write_together({Path("scan.mhd"): write, Path("b.txt"): Path.touch})
    assert order == ["scan.raw", "scan.mhd", "b.txt"]  # no header without its voxels
    assert _names(tmp_path) == ["b.txt", "scan.mhd", "scan.raw"]
    assert (tmp_path / "scan.mhd").read_text() == "scan.raw"


@pytest.mark.parametrize("filename", [None, "draft"])
def test_what_the_disk_refuses_names_the_file(tmp_path, monkeypatch, filename):
    monkeypatch.chdir(tmp_path)

    def fail(path):
        name = [str(path)] if filename else []
        raise OSError(errno.ENOSPC, "No space left on device", *name)

    with pytest.raises(OSError) as caught:  # noqa: PT011
        write_together({Path("a.txt"): Path.touch, Path("b.txt"): fail})
    assert caught.value.filename == "b.txt"
    with pytest.raises(WriteError) as caught:
        write_together({Path("a.txt"): Path.touch, Path("none/b.txt"): Path.touch})
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, "none/b.txt")
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(WriteError) as caught:
        write_together({Path("a.txt"): Path.touch, Path("b.txt"): Path.touch})
    assert (caught.value.errno, caught.value.filename) == (errno.EISDIR, "b.txt")
    assert _names(tmp_path) == ["b.txt"]


def test_what_is_written_inside_is_not_drafted_again(tmp_path):
    """It goes straight to its path, and takes its place with all others."""
    path, beside = tmp_path / "pair.mat", tmp_path / "pair.nii"
    path.write_text("old")
    with replacing(path) as unfinished:
        with replacing(unfinished.with_name("pair.nii")) as inner:
            assert inner.parent == unfinished.parent
            inner.write_text("warp")
        write_together({unfinished: lambda draft: draft.write_text(str(draft))})
        assert known_as(unfinished) == path
        assert known_as(inner) == beside
        assert _names(unfinished.parent) == ["pair.mat", "pair.nii"]
        assert _names(tmp_path)[1:] == ["pair.mat"]
        assert path.read_text() == "old"
    assert path.read_text() == str(unfinished)
    assert _names(tmp_path) == ["pair.mat", "pair.nii"]
    assert known_as(unfinished) == unfinished


def test_a_failure_inside_is_told_of_the_file_that_fails(tmp_path):
    path, beside = tmp_path / "pair.mat", tmp_path / "pair.nii"
    with (
        pytest.raises(WriteError) as caught,
        replacing(path) as unfinished,
        replacing(unfinished.with_name(beside.name)),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(beside)
    with pytest.raises(InputError) as refused, replacing(path) as unfinished:
        raise InputError("is no good", place=unfinished.with_name(beside.name))
    assert str(refused.value) == f"{beside}: is no good"
    assert _names(tmp_path) == []


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), None])
def test_what_fails_in_a_folder_that_is_written_is_told_by_its_place(tmp_path, error):
    folder, name = tmp_path / "pairs", "deep/first.nii"
    with pytest.raises(InputError) as caught, replacing(folder) as unfinished:  # noqa: PT012
        (unfinished / "deep").mkdir(parents=True)
        with replacing(unfinished / name):
            raise error or InputError("is no good", place=unfinished / name)
    told = "can't be written (No space left): the disk is full" if error else "is no"
    assert str(caught.value).startswith(f"{folder / name}: {told}")
    assert _names(tmp_path) == []


@pytest.mark.parametrize("name", ["a.mat", "a.nii"])
def test_a_kill_between_renames_leaves_no_mixture(tmp_path, monkeypatch, name):
    """What makes the others readable is away before they are replaced."""
    head, beside = tmp_path / "a.mat", tmp_path / "a.nii"

    def write(path):
        with replacing(path.with_name(head.name)) as unfinished:
            with replacing(unfinished.with_name(beside.name)) as inner:
                inner.write_text(text)
            unfinished.write_text(text)

    text = "old"
    write_together({tmp_path / name: write})
    text, seen, replace = "new", [], Path.replace

    def look(draft, target):
        for action in (lambda: None, lambda: replace(draft, target)):
            action()
            found = {p: p.read_text() for p in (head, beside) if p.exists()}
            seen.append(found)

    monkeypatch.setattr(Path, "replace", look)
    write_together({tmp_path / name: write})
    assert seen[0] == {head: "old", beside: "old"}
    assert seen[-1] == {head: "new", beside: "new"}
    readable = [set(found.values()) for found in seen if head in found]
    assert all(len(texts) == 1 for texts in readable), readable


def test_if_the_first_rename_fails_all_old_files_stay(tmp_path, monkeypatch):
    def write(path):
        path.with_suffix(".raw").write_text("voxels")
        path.write_text("header")

    path = tmp_path / "a.mhd"
    path.write_text("old")
    replace = Path.replace

    def refuse(draft, target):
        if target.suffix == ".raw":
            raise OSError(errno.EIO, "Input/output error")
        return replace(draft, target)

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(WriteError, match="Input/output error"):
        write_together({path: write})
    assert path.read_text() == "old"
    assert _names(tmp_path) == ["a.mhd"]


def test_hundreds_of_files_are_written_together(tmp_path):
    """They share a lock: a process may have only so many files open."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Sixty more than other tests of this process have left open, whatever numbers
    # these have: the limit is on the number of a new one.
    free = [os.open(os.devnull, os.O_RDONLY) for _ in range(60)]
    for descriptor in free:
        os.close(descriptor)
    most = max(free) + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, before[1]))
    try:
        paths = [tmp_path / f"{number % 3}" / f"{number}.txt" for number in range(200)]
        for folder in {path.parent for path in paths}:
            folder.mkdir()
        write_together({p: lambda draft: draft.write_text(draft.name) for p in paths})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert [path.read_text() for path in paths] == [path.name for path in paths]
    assert sum(1 for _ in tmp_path.rglob("*")) == 203


def test_two_writers_of_a_pair_leave_the_pair_of_one(tmp_path, monkeypatch):
    """Whoever comes last, the two files are of the same."""
    head, beside = tmp_path / "a.mat", tmp_path / "a.nii"
    replace, found = Path.replace, []

    def slowly(draft, target):
        time.sleep(0.005)
        return replace(draft, target)

    def write(text):
        with replacing(head) as unfinished:
            unfinished.with_name(beside.name).write_text(text)
            unfinished.write_text(text)
        found.append(text)

    monkeypatch.setattr(Path, "replace", slowly)
    for _ in range(5):
        threads = [threading.Thread(target=write, args=(text,)) for text in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert head.read_text() == beside.read_text()
    assert sorted(found) == sorted("abcd" * 5)
    assert _names(tmp_path) == ["a.mat", "a.nii"]
