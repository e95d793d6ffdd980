"""Two trainings into one folder keep apart; what a killed one left bothers nobody."""

import os

import pytest

from dlir_tf.errors import InputError
from dlir_tf.training.output import check_output_folder, claimed


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such locks")
def test_a_second_training_is_told_of_the_first(tmp_path):
    folder = tmp_path / "deep" / "model"
    with claimed(folder):
        (folder / "checkpoint.npz").touch()
        with (
            pytest.raises(InputError, match="model: another training is writing there"),
            claimed(folder),
        ):
            pass
    with claimed(folder):
        assert [entry.name for entry in folder.iterdir() if entry.suffix] != []
    assert [entry.name for entry in folder.iterdir()] == ["checkpoint.npz"]


@pytest.mark.parametrize("error", [InputError("is faulty"), KeyboardInterrupt()])
def test_a_folder_into_which_nothing_came_goes_again(tmp_path, error):
    (tmp_path / "mine").mkdir()
    with pytest.raises(type(error)), claimed(tmp_path / "mine" / "deep" / "model"):
        raise error
    assert list((tmp_path / "mine").iterdir()) == []
    with pytest.raises(type(error)), claimed(tmp_path / "mine"):
        raise error
    assert (tmp_path / "mine").is_dir()


def test_drafts_and_the_lock_of_a_killed_training_are_in_nobodys_way(tmp_path):
    """It was killed while it wrote its first checkpoint."""
    (tmp_path / ".unfinished-abc").mkdir()
    (tmp_path / ".unfinished-abc" / "checkpoint.npz").write_bytes(b"half")
    (tmp_path / ".lock").touch()
    check_output_folder(tmp_path, resume=False)
    with claimed(tmp_path):
        check_output_folder(tmp_path, resume=False)
    (tmp_path / ".unfinished-thesis.tex").touch()
    with pytest.raises(InputError, match="is in use already"):
        check_output_folder(tmp_path, resume=False)
