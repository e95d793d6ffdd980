"""A training that is killed at any rename goes on to the same bits, or starts again.

What a kill leaves is what is on the disk at that moment, drafts and all. So the folder
of one training is copied before each of its renames, and every copy has to be a place
to go on from. After a rename the folder is as before the next, but for a draft.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.files import LOCK
from dlir_tf.models.folder import load_model
from dlir_tf.training import train
from dlir_tf.training.output import check_output_folder


class Copier:
    """Copies a folder before each rename and before each removal of a file."""

    def __init__(self, folder, copies, patch):
        self._folder, self._copies = folder, copies
        self.moments: list[str] = []
        for action in ("replace", "unlink"):
            patch.setattr(Path, action, self._around(getattr(Path, action)))

    def _around(self, original):
        def act(path, *args, **options):
            if path.is_relative_to(self._folder) and path.name != LOCK:
                shutil.copytree(self._folder, self._copies / f"{len(self.moments)}")
                self.moments.append(f"before {original.__name__} of {path.name}")
            return original(path, *args, **options)

        return act


def entries(folder):
    return {entry.name for entry in folder.iterdir()}


@pytest.mark.slow
def test_killed_at_any_rename(make_config, make_pairs, tmp_path, monkeypatch):
    augmentation = {"rotation_degrees": 0, "scale": 0, "translation": 0}
    config = make_config("bspline", augmentation=augmentation)
    pairs, whole, copies = make_pairs(1), tmp_path / "whole", tmp_path / "copies"
    with monkeypatch.context() as patch:
        copier = Copier(whole, copies, patch)
        reference = train(config, pairs, whole, steps=2, seed=3)
    finished, started = entries(whole), 0
    assert "before replace of model.weights.h5" in copier.moments
    assert "before unlink of checkpoint.npz" in copier.moments
    for number, moment in enumerate(copier.moments):
        folder = copies / f"{number}"
        resume = (folder / "checkpoint.npz").is_file()
        if not resume and (folder / "provenance.json").is_file():
            with pytest.raises(InputError, match="its training is finished"):
                check_output_folder(folder, resume=True)
        else:
            started += not resume
            train(config, pairs, folder, steps=2, seed=3, resume=resume)
            assert entries(folder) == finished, moment
        weights = load_model(folder).network.get_weights()
        for a, b in zip(reference.network.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(a, b, err_msg=moment)
    assert 0 < started < len(copier.moments) / 2
