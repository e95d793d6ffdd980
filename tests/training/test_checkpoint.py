"""Checkpoints come back as they were, and a damaged one is said to be so."""

import errno

import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.training import checkpoint as module
from dlir_tf.training.checkpoint import (
    Checkpoint,
    Progress,
    load_checkpoint,
    save_checkpoint,
)


@pytest.fixture
def checkpoint(rng):
    progress = Progress(2, 17, float("inf"), 12, 3.25, "abc")
    weights = [rng.normal(size=(3, 2, n)).astype(np.float32) for n in range(1, 13)]
    best = [array + 1 for array in weights]
    return Checkpoint(progress, weights, best, [np.array(7), *weights[:2]])


def test_everything_comes_back_in_order(tmp_path, checkpoint):
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, checkpoint)
    loaded = load_checkpoint(path)
    assert loaded.progress == checkpoint.progress
    for name in ("weights", "best", "optimizer"):
        stored, wanted = getattr(loaded, name), getattr(checkpoint, name)
        assert [a.dtype for a in stored] == [a.dtype for a in wanted]
        for a, b in zip(stored, wanted, strict=True):
            np.testing.assert_array_equal(a, b)
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, checkpoint, monkeypatch):
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, checkpoint)

    def run_full(stream, **arrays):
        stream.write(b"PK half of it")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.np, "savez", run_full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(path, Checkpoint(Progress(9, 9, 0, 9, 9, "x"), [], []))
    assert load_checkpoint(path).progress == checkpoint.progress
    assert [p.name for p in tmp_path.iterdir()] == ["checkpoint.npz"]


@pytest.mark.parametrize(
    ("offset", "value"), [(8, 1), (10, 77), (6, 109)], ids=["secret", "method", "newer"]
)
def test_a_damaged_directory_is_told_too(tmp_path, checkpoint, offset, value):
    """Python's reader of archives raises something else for each."""
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, checkpoint)
    data = bytearray(path.read_bytes())
    data[data.find(b"PK\x01\x02") + offset] |= value
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"checkpoint\.npz: the checkpoint is damaged"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    "name", ["weights_0000", "weights_0011", "best_0005", "optimizer_0002", "progress"]
)
def test_an_array_that_is_missing_is_told(tmp_path, checkpoint, name):
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, checkpoint)
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in stored if key != name}
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=r"checkpoint\.npz: the checkpoint is damaged"):
        load_checkpoint(path)


def test_checkpoints_of_before_they_said_how_many_arrays_load(tmp_path, checkpoint):
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, checkpoint)
    with np.load(path) as stored:
        arrays = {key: stored[key] for key in stored if key != "counts"}
    np.savez(path, **arrays)
    assert len(load_checkpoint(path).optimizer) == 3


@pytest.mark.parametrize("length", [0, 10, 1000, -30])
def test_a_damaged_file_is_named(tmp_path, checkpoint, length):
    path = tmp_path / "checkpoint.npz"
    save_checkpoint(path, checkpoint)
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(InputError, match=r"checkpoint\.npz: the checkpoint is damaged"):
        load_checkpoint(path)


def test_pickled_objects_are_not_loaded(tmp_path):
    path = tmp_path / "checkpoint.npz"
    np.savez(path, progress=np.array({"phase": 1}, dtype=object))
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(path)
