"""Phantoms as files: NIfTI pairs and the manifests that training reads."""

import csv
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.files import make_folder, replacing
from dlir_tf.images import write_displacement, write_image
from dlir_tf.phantoms.heart import Phantom, beating_heart

COLUMNS = ("fixed", "moving", "fixed_labels", "moving_labels")


def write_phantoms(
    folder: Path | str, *, num_train: int, num_test: int, seed: int = 0
) -> tuple[Path, Path]:
    """Writes synthetic subjects as NIfTI files, with manifests of the pairs.

    The subjects of the test part come with their true displacement in mm as
    `<subject>_displacement.nii.gz`, which nobody has for real patients.

    Args:
        folder: Where to write; made if it isn't there.
        num_train: Subjects in `train.csv`.
        num_test: Subjects in `test.csv`, all different from those for training.
        seed: Chooses the subjects; the same seed writes the same files.

    Returns:
        The paths of `train.csv` and `test.csv`, with the columns `fixed`,
        `moving`, `fixed_labels` and `moving_labels`, relative to the folder.

    Raises:
        InputError: If a number of subjects is negative.
    """
    if min(num_train, num_test) < 0:
        raise InputError(
            "num_train and num_test must not be negative. "
            f"Received: {num_train}, {num_test}"
        )
    folder = Path(folder)
    make_folder(folder)
    manifests = []
    for part, count in (("train", num_train), ("test", num_test)):
        rows = []
        for index in range(count):
            name = f"{part}{index + 1:03d}"
            phantom = beating_heart(_subject_seed(seed, part, index))
            rows.append(_write_subject(folder, name, phantom))
            if part == "test":
                path = folder / f"{name}_displacement.nii.gz"
                field = phantom.displacement_field()
                write_displacement(path, field, phantom.fixed.grid)
        manifests.append(_write_manifest(folder / f"{part}.csv", rows))
    return manifests[0], manifests[1]


def _subject_seed(seed: int, part: str, index: int) -> int:
    """Keeps test subjects apart, and the same ones whatever `num_train` is."""
    return (2 * seed + (part == "test")) * 1_000_000 + index


def _write_subject(folder: Path, name: str, phantom: Phantom) -> dict[str, str]:
    row = {}
    for column in COLUMNS:
        row[column] = f"{name}_{column}.nii.gz"
        write_image(folder / row[column], getattr(phantom, column))
    return row


def _write_manifest(path: Path, rows: list[dict[str, str]]) -> Path:
    with (
        replacing(path) as unfinished,
        unfinished.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path
