"""A training that is killed at any rename goes on to the same bits, or starts again.

What a kill leaves is what is on the disk at that moment, drafts and all. So the folder
of one training is copied before each of its renames, and every copy has to be a place
to go on from. After a rename the folder is as before the next, but for a draft.

Copies of a folder that is still written to aren't all that a kill leaves: locks are
free, and what was written is as old as it is. So others are killed in earnest.
"""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from dlir_tf.config import dump_config
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


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows can't fork processes")
def test_really_killed_at_any_rename(make_config, make_pairs, tmp_path):
    augmentation = {"rotation_degrees": 0, "scale": 0, "translation": 0}
    config, trained = tmp_path / "config.yaml", tmp_path / "trained"
    config.write_text(dump_config(make_config("bspline", augmentation=augmentation)))
    (pair,) = make_pairs(1)
    manifest = tmp_path / "pairs.csv"
    manifest.write_text(f"fixed,moving\n{pair.fixed},{pair.moving}\n")
    program = Path(__file__).with_name("killed_process.py")
    done = subprocess.run(
        [sys.executable, program, config, manifest, trained],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    *killed, whole = map(json.loads, done.stdout.splitlines())
    assert whole == {"renamed": "", "first": 0}
    moments = [each["renamed"] for each in killed]
    assert {"checkpoint.npz", "model.weights.h5", "provenance.json"} < set(moments)
    assert {each["resume"] for each in killed} == {False, True}
    for number, each in enumerate(killed):
        assert (each["first"], each["second"], each["said"]) == (-9, 0, ""), each
        assert_same_files(trained / f"{number}", trained / f"{len(killed)}", each)


def assert_same_files(folder, whole, moment):
    """Asserts that two trainings have left the same, but for times."""
    assert entries(folder) == entries(whole), moment
    ours, theirs = (load_model(each).network.get_weights() for each in (folder, whole))
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=f"{moment}")
    assert (folder / "config.yaml").read_bytes() == (whole / "config.yaml").read_bytes()
    assert rows(folder) == rows(whole)


def rows(folder):
    with (folder / "training.csv").open(newline="") as stream:
        return [{**row, "seconds": ""} for row in csv.DictReader(stream)]
