"""The log as a spreadsheet and TensorBoard read it."""

import csv
import errno

import pytest
import tensorflow as tf

from dlir_tf.errors import InputError
from dlir_tf.training import log as module
from dlir_tf.training.log import COLUMNS, TrainingLog

NAMES = ["stage_1_affine", "stage_2_bspline"]


@pytest.fixture
def make_log(tmp_path):
    return lambda: TrainingLog(tmp_path / "training.csv", tmp_path / "events")


def rows(tmp_path):
    with (tmp_path / "training.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_rows_are_there_as_soon_as_they_are_written(tmp_path, make_log):
    log = make_log()
    assert (tmp_path / "training.csv").read_text().strip() == ",".join(COLUMNS)
    log.write(NAMES[0], 20, {"loss": 0.12345678, "seconds": 1234567.0})
    (row,) = rows(tmp_path)
    assert (row["phase"], row["step"], row["loss"]) == (NAMES[0], "20", "0.123457")
    assert row["seconds"] == "1.23457e+06"
    assert row["validation_dice"] == ""


def test_rows_after_the_checkpoint_are_dropped(tmp_path, make_log):
    log = make_log()
    for name, step in [(NAMES[0], 10), (NAMES[0], 20), (NAMES[1], 10), (NAMES[1], 15)]:
        log.write(name, step, {"loss": 1.0})
    log.close()
    log = make_log()
    log.keep_until(NAMES, 1, 10)
    log.write(NAMES[1], 15, {"loss": 2.0})
    found = [(row["phase"], row["step"], row["loss"]) for row in rows(tmp_path)]
    assert found == [
        (NAMES[0], "10", "1"),
        (NAMES[0], "20", "1"),
        (NAMES[1], "10", "1"),
        (NAMES[1], "15", "2"),
    ]
    log.keep_until(NAMES, 0, 0)
    assert rows(tmp_path) == []


def test_a_full_disk_leaves_whole_rows(tmp_path, make_log, monkeypatch):
    log = make_log()
    log.write(NAMES[0], 10, {"loss": 1.0})

    class FullWriter(csv.DictWriter):
        def writerows(self, rows):
            super().writerow(rows[0])
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.csv, "DictWriter", FullWriter)
    with pytest.raises(OSError, match="No space left"):
        log.write(NAMES[0], 20, {"loss": 2.0})
    assert [row["step"] for row in rows(tmp_path)] == ["10"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["events", "training.csv"]


@pytest.mark.parametrize("kind", ["ResourceExhaustedError", "OutOfRangeError"])
def test_a_full_disk_is_a_plain_os_error(tmp_path, make_log, monkeypatch, kind):
    """TensorFlow raises what it also raises when a GPU has no memory left."""
    log = make_log()

    def fail(*_):
        raise getattr(tf.errors, kind)(None, None, "No space left on device")

    monkeypatch.setattr(log._events, "flush", fail)
    with pytest.raises(OSError, match="No space left") as caught:
        log.write(NAMES[0], 10, {"loss": 1.0})
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.filename == str(tmp_path / "events")


def test_tensorboard_shows_a_curve_per_phase_and_value(tmp_path, make_log):
    reader = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator",
        reason="TensorBoard isn't installed: pip install dlir-tf[tensorboard]",
    )
    log = make_log()
    for step, loss in [(10, 0.5), (20, 0.25)]:
        log.write(NAMES[1], step, {"loss": loss, "validation_dice": 0.75})
    log.close()
    events = reader.EventAccumulator(str(tmp_path / "events"))
    events.Reload()
    curves = {
        tag: [
            (event.step, float(tf.make_ndarray(event.tensor_proto)))
            for event in events.Tensors(tag)
        ]
        for tag in events.Tags()["tensors"]
    }
    assert curves == {
        "stage_2_bspline/loss": [(10, 0.5), (20, 0.25)],
        "stage_2_bspline/validation_dice": [(10, 0.75), (20, 0.75)],
    }
    metadata = events.SummaryMetadata("stage_2_bspline/loss")
    assert metadata.plugin_data.plugin_name == "scalars"


HEADER = ",".join(COLUMNS)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"hello\nworld\n", "its columns are hello"),
        (bytes(range(128, 256)), "can't decode"),
        (HEADER.encode() + b'\n"stage_1', "unexpected end of data"),
        (HEADER.encode() + b"\nstage_1,2\n", "line 2 isn't of this table"),
        (HEADER.encode() + b"\n" + b"," * 20 + b"\n", "line 2 isn't of this table"),
        (b"phase,step,loss\nstage_1,1,0.1\nstage_1,two,0.1\n", "line 3 isn't"),
        (b"phase,step,loss\nstage_9,2,0.1\n", "rows of a phase 'stage_9'"),
    ],
)
def test_a_damaged_log_is_one_sentence(make_log, tmp_path, content, problem):
    path = tmp_path / "training.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=problem) as caught:
        make_log().keep_until(["stage_1"], 0, 2)
    assert caught.value.place == path
    assert "nothing but its rows is lost" in str(caught.value)
    assert path.read_bytes() == content


def test_an_empty_or_missing_log_is_begun_anew(make_log, tmp_path):
    (tmp_path / "training.csv").write_text("")
    make_log().keep_until(["stage_1"], 0, 2)
    assert rows(tmp_path) == []
