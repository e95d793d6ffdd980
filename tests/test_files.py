"""Files are there whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from dlir_tf.errors import InputError
from dlir_tf.files import replacing, write_together


def _names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_new_file_appears_only_when_it_is_whole(tmp_path):
    path = tmp_path / "scan.nii.gz"
    with replacing(path) as unfinished:
        unfinished.write_text("whole")
        assert not path.exists()
        assert unfinished.parent.parent == path.parent
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
    with pytest.raises(FileNotFoundError) as caught, replacing(path):
        pass
    assert caught.value.filename == str(path)


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
        raise InputError(f"{path}: the disk is full")

    with pytest.raises(InputError) as caught:
        write_together({first: lambda path: path.write_text("new"), second: fail})
    assert str(caught.value) == f"{second}: the disk is full"
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
    with pytest.raises(FileNotFoundError) as caught:
        write_together({Path("a.txt"): Path.touch, Path("none/b.txt"): Path.touch})
    assert caught.value.filename == "none/b.txt"
    (tmp_path / "b.txt").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        write_together({Path("a.txt"): Path.touch, Path("b.txt"): Path.touch})
    assert caught.value.filename == "b.txt"
    assert _names(tmp_path) == ["b.txt"]
