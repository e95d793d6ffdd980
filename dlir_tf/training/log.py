"""What is written down during training: a CSV file and TensorBoard events."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.files import disk_errors, replacing
from dlir_tf.training.events import write_histogram, write_pictures

COLUMNS = (
    "phase",
    "step",
    "loss",
    "similarity_loss",
    "bending_energy",
    "folding_penalty",
    "label_loss",
    "landmark_loss",
    "learning_rate",
    "seconds",
    "validation_loss",
    "validation_similarity_loss",
    "validation_dice",
    "validation_folded_percent",
    "validation_landmark_error",
)


class TrainingLog:
    """Appends rows to `training.csv` and scalars to TensorBoard's event files.

    These are written where TensorFlow is the backend; others may be without it.

    Args:
        csv_path: The CSV file; made if it isn't there.
        events_folder: Where the event files go.

    Raises:
        InputError: If there is a CSV file that isn't the log of a training.
    """

    def __init__(self, csv_path: Path, events_folder: Path) -> None:
        self._path = csv_path
        self._rows: list[dict[str, str]] = []
        if csv_path.is_file():
            self._rows = _read(csv_path)
        else:
            self._save()
        self._events: Any = None
        self._events_folder = events_folder
        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            with disk_errors(events_folder):
                self._events = tf.summary.create_file_writer(str(events_folder))

    def keep_until(self, phase_names: list[str], phase: int, step: int) -> None:
        """Drops the rows after a checkpoint, which are about to come again.

        Raises:
            InputError: If there are rows of other phases.
        """
        position = {name: index for index, name in enumerate(phase_names)}
        unknown = [row["phase"] for row in self._rows if row["phase"] not in position]
        if unknown:
            raise _damaged(self._path, f"it has rows of a phase {unknown[0]!r}")
        self._rows = [
            row
            for row in self._rows
            if (position[row["phase"]], int(row["step"])) <= (phase, step)
        ]
        self._save()

    def write(self, phase: str, step: int, values: dict[str, float]) -> None:
        """Writes one row; columns without a value stay empty."""
        row = {name: f"{value:.6g}" for name, value in values.items()}
        self._rows.append({"phase": phase, "step": str(step), **row})
        self._save()
        if self._events is not None:
            self._write_events(phase, step, values)

    def _write_events(self, phase: str, step: int, values: dict[str, float]) -> None:
        import tensorflow as tf

        metadata = tf.compat.v1.SummaryMetadata()
        metadata.plugin_data.plugin_name = "scalars"
        with disk_errors(self._events_folder), self._events.as_default():
            for name, value in values.items():
                # As tf.summary.scalar does, which needs tensorboard installed.
                tensor = tf.constant(value, tf.float32)
                tf.summary.write(f"{phase}/{name}", tensor, step, metadata)
            self._events.flush()

    @property
    def rows(self) -> list[dict[str, str]]:
        """What was written so far, as it stands in the file."""
        return self._rows

    def show(
        self,
        phase: str,
        step: int,
        pictures: Mapping[str, bytes],
        histograms: Iterable[tuple[str, np.ndarray, np.ndarray, float]],
    ) -> None:
        """Writes pictures, PNG files, and histograms to the event files."""
        if self._events is None:
            return
        named = {f"{phase}/{name}": png for name, png in pictures.items()}
        with disk_errors(self._events_folder), self._events.as_default():
            write_pictures(named, step)
            for title, counts, edges, _ in histograms:
                write_histogram(f"{phase}/{title}", counts, edges, step)
            self._events.flush()

    def close(self) -> None:
        """Closes the event file."""
        if self._events is not None:
            self._events.close()

    def _save(self) -> None:
        """Writes the whole file anew: a full disk leaves no half of a row in it."""
        with (
            replacing(self._path) as unfinished,
            unfinished.open("w", newline="", encoding="utf-8") as stream,
        ):
            writer = csv.DictWriter(stream, COLUMNS, restval="")
            writer.writeheader()
            writer.writerows(self._rows)


def _read(path: Path) -> list[dict[str, str]]:
    """The rows of a log, each with a phase and the number of a step."""
    try:
        with path.open(newline="", encoding="utf-8") as stream:
            reader = csv.DictReader(stream, strict=True)
            rows, names = list(reader), set(reader.fieldnames or ())
    except (UnicodeDecodeError, csv.Error) as error:
        raise _damaged(path, str(error)) from error
    if names and not {"phase", "step"} <= names <= set(COLUMNS):
        raise _damaged(path, f"its columns are {', '.join(sorted(names))}")
    for number, row in enumerate(rows, start=2):
        if set(row) != names or None in row.values() or not row["step"].isdecimal():
            raise _damaged(path, f"line {number} isn't of this table")
    return rows


def _damaged(path: Path, problem: str) -> InputError:
    """The error of a log that can't be gone on with; the training can."""
    return InputError(
        f"can't be read as the log of this training ({problem}); move it away, and "
        "--resume goes on as if it were there: nothing but its rows is lost",
        place=path,
    )
