"""What is written down during training: a CSV file and TensorBoard events."""

import csv
from pathlib import Path

import tensorflow as tf

from dlir_tf.files import disk_errors, replacing

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
)


class TrainingLog:
    """Appends rows to `training.csv` and scalars to TensorBoard's event files.

    Args:
        csv_path: The CSV file; made if it isn't there.
        events_folder: Where the event files go.
    """

    def __init__(self, csv_path: Path, events_folder: Path) -> None:
        self._path = csv_path
        self._rows: list[dict[str, str]] = []
        if csv_path.is_file():
            with csv_path.open(newline="", encoding="utf-8") as stream:
                self._rows = list(csv.DictReader(stream))
        self._save()
        with disk_errors(events_folder):
            self._events = tf.summary.create_file_writer(str(events_folder))
        self._events_folder = events_folder

    def keep_until(self, phase_names: list[str], phase: int, step: int) -> None:
        """Drops the rows after a checkpoint, which are about to come again."""
        position = {name: index for index, name in enumerate(phase_names)}
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
        metadata = tf.compat.v1.SummaryMetadata()
        metadata.plugin_data.plugin_name = "scalars"
        with disk_errors(self._events_folder), self._events.as_default():
            for name, value in values.items():
                # As tf.summary.scalar does, which needs tensorboard installed.
                tensor = tf.constant(value, tf.float32)
                tf.summary.write(f"{phase}/{name}", tensor, step, metadata)
            self._events.flush()

    def close(self) -> None:
        """Closes the event file."""
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
