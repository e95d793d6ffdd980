"""Whether something may be written is asked before any work is done."""

import os

import pytest

from dlir_tf.errors import InputError
from dlir_tf.files import check_folder, check_output, make_folder

NIFTI = (".nii", ".nii.gz")


def refused(check, path, *args, **options):
    with pytest.raises(InputError) as caught:
        check(path, *args, **options)
    assert str(caught.value) == f"{path}: {caught.value.problem}"
    assert caught.value.place == path
    return caught.value.problem


def test_an_output_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    (tmp_path / "folder.nii").mkdir()
    for name, problem in {
        "a.mha": "expected a name that ends in .nii or .nii.gz",
        "none/a.nii": "its folder doesn't exist; make it first",
        "folder.nii": "is a folder; add the name of a file",
    }.items():
        assert refused(check_output, tmp_path / name, NIFTI) == problem
    check_output(tmp_path / "a.nii.gz", NIFTI)
    check_output(tmp_path / "a.anything")
    monkeypatch.setattr("os.access", lambda _, mode: not mode & os.W_OK)
    problem = refused(check_output, tmp_path / "a.nii.gz", NIFTI)
    assert problem == "its folder can't be written; choose another one"


def test_what_is_no_file_is_no_output(tmp_path):
    os.mkfifo(tmp_path / "pipe.nii")
    links = {"device": "/dev/null", "none": "none/a.nii", "circle": "circle.nii"}
    for name, target in links.items():
        (tmp_path / f"{name}.nii").symlink_to(target)
    cure = "choose the name of a plain file"
    for name, problem in {
        "pipe": f"is a pipe; {cure}",
        "device": f"is a device; {cure}",
        "circle": f"is a link that leads in a circle; {cure}",
        "none": f"it's a link, and {tmp_path}/none doesn't exist; make it first",
    }.items():
        assert refused(check_output, tmp_path / f"{name}.nii", NIFTI) == problem
    (tmp_path / "none").mkdir()
    check_output(tmp_path / "none.nii", NIFTI)


def test_suffixes_are_listed_with_what_is_said_of_them(tmp_path):
    assert refused(check_output, tmp_path / "a", (".csv",), note=", like b.csv") == (
        "expected a name that ends in .csv, like b.csv"
    )
    assert refused(check_output, tmp_path / "a", (".a1", ".b1", ".c1")) == (
        "expected a name that ends in .a1, .b1 or .c1"
    )


def test_a_new_file_may_not_be_there_yet(tmp_path):
    path = tmp_path / "model.tflite"
    check_output(path, (".tflite",), new=True)
    path.write_text("kept")
    check_output(path, (".tflite",))
    problem = refused(check_output, path, (".tflite",), new=True)
    assert problem == "is there already; choose another name, or delete it"


def test_a_folder_may_be_there_or_be_made(tmp_path, monkeypatch):
    check_folder(tmp_path)
    check_folder(tmp_path / "deep" / "folder")
    assert list(tmp_path.iterdir()) == []
    make_folder(tmp_path / "deep" / "folder")
    make_folder(tmp_path / "deep" / "folder")
    assert (tmp_path / "deep" / "folder").is_dir()
    (tmp_path / "file").touch()
    cure = "choose another --output"
    assert refused(check_folder, tmp_path / "file") == f"is a file; {cure}"
    problem = refused(check_folder, tmp_path / "file" / "folder")
    assert problem == f"{tmp_path / 'file'} is a file; {cure}"
    monkeypatch.setattr("os.access", lambda *_: False)
    assert refused(check_folder, tmp_path) == f"can't be written; {cure}"


def test_a_folder_that_cant_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    problem = refused(make_folder, tmp_path / "file" / "folder")
    assert problem.startswith("can't be written")
