"""Folders that a training must leave alone."""

import os

import pytest

from dlir_tf.errors import InputError
from dlir_tf.training.output import check_output_folder


def refuse(folder, reason, *, resume=False):
    with pytest.raises(InputError, match=reason) as caught:
        check_output_folder(folder, resume=resume)
    assert str(folder) in str(caught.value)


def test_a_new_an_empty_and_a_cache_folder_are_free(tmp_path):
    check_output_folder(tmp_path / "deep" / "model", resume=False)
    check_output_folder(tmp_path, resume=False)
    (tmp_path / "cache").mkdir()
    check_output_folder(tmp_path, resume=False)
    assert [p.name for p in tmp_path.iterdir()] == ["cache"]


def test_a_folder_in_use(tmp_path):
    (tmp_path / "thesis.tex").write_text("my only copy")
    refuse(tmp_path, "is in use already; choose another --output")
    refuse(tmp_path, "no interrupted training to go on with", resume=True)
    (tmp_path / "checkpoint.npz").write_text("")
    refuse(tmp_path, "go on with the interrupted training there by --resume")
    check_output_folder(tmp_path, resume=True)


def test_a_finished_model_cant_be_resumed(tmp_path):
    (tmp_path / "provenance.json").write_text("{}")
    refuse(tmp_path, "its training is finished", resume=True)
    refuse(tmp_path, "is in use already; choose")


def test_what_can_not_be_written(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    refuse(file, "is a file")
    refuse(file / "model", "is a file")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    refuse(tmp_path / "model", "can't be written; choose another")


def test_there_is_nothing_to_resume_in_a_folder_that_is_not_there(tmp_path):
    refuse(tmp_path / "model", "leave --resume out to start one", resume=True)
