"""Breathing lungs as files: NIfTI pairs, and the manifest that training reads."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.files import check_folder, check_not_stopped, make_folder, replacing
from dlir_tf.images import Image, write_image
from dlir_tf.phantoms.breathing import BreathingPair, breathing_pair
from dlir_tf.phantoms.chest import chest_ct

MANIFEST = "pairs.csv"
NUM_POINTS = 100
_KINDS = ("", "_points", "_mask")


@dataclass(frozen=True)
class Thorax:
    """A chest at rest, which is read when its turn comes.

    Attributes:
        name: For messages.
        read: Gives the CT and the mask of its lungs, if there is one.
    """

    name: str
    read: Callable[[], tuple[Image, Image | None]]


def write_breathing_pairs(
    folder: Path | str,
    *,
    num_pairs: int,
    thoraxes: Sequence[Thorax] = (),
    seed: int = 0,
) -> Path:
    """Writes pairs of breathing lungs as NIfTI files, with a manifest.

    Args:
        folder: A new folder; it's there when all is written, or not at all.
        num_pairs: How many; thoraxes are taken in turn, each time with other breaths.
        thoraxes: To make the pairs of; without any, each pair gets a generated one.
        seed: Decides breaths and generated thoraxes; the same seed writes the same.

    Returns:
        The path of `pairs.csv`, with the columns `fixed`, `moving`, `fixed_points`,
        `moving_points`, `fixed_mask` and `moving_mask`, relative to the folder. Up to
        100 points in the lungs of each pair are true to less than 1e-5 mm.

    Raises:
        InputError: If the folder is there already or can't be made, there are more
            thoraxes than pairs, or one of them isn't a CT with lungs in it.
    """
    folder = Path(folder)
    _check(folder, num_pairs, len(thoraxes))
    make_folder(folder.parent)
    breaths, chests = (
        np.random.SeedSequence(seed).generate_state(2 * num_pairs).reshape(2, -1)
    )
    chosen = thoraxes or [
        Thorax(f"generated chest {chest}", partial(chest_ct, int(chest)))
        for chest in chests
    ]
    with replacing(folder) as unfinished:
        unfinished.mkdir()
        rows = []
        for number in range(num_pairs):
            check_not_stopped()
            thorax = chosen[number % len(chosen)]
            image, mask = thorax.read()
            try:
                pair = breathing_pair(image, int(breaths[number]), mask=mask)
            except InputError as error:
                raise error.within(thorax.name) from error
            rows.append(_write_pair(unfinished, f"pair{number + 1:03d}", pair))
        _write_rows(unfinished / MANIFEST, rows)
    return folder / MANIFEST


def _check(folder: Path, num_pairs: int, num_thoraxes: int) -> None:
    if folder.exists():
        raise InputError(f"{folder}: is there already; choose another --output")
    check_folder(folder)
    if num_pairs < max(1, num_thoraxes):
        raise InputError(
            "at least one pair must be made of each image. "
            f"Received: {num_pairs} pairs of {num_thoraxes} images"
        )


def _write_pair(folder: Path, name: str, pair: BreathingPair) -> dict[str, str]:
    """Writes the files of a pair; returns their names by the manifest's columns."""
    points = pair.landmarks(NUM_POINTS)
    sides = {"fixed": (pair.fixed, points[0]), "moving": (pair.moving, points[1])}
    row = {}
    for side, (seen, own) in sides.items():
        row[side] = f"{name}_{side}.nii.gz"
        row[f"{side}_mask"] = f"{name}_{side}_mask.nii.gz"
        row[f"{side}_points"] = f"{name}_{side}_points.csv"
        write_image(folder / row[side], seen.image)
        write_image(folder / row[f"{side}_mask"], seen.mask)
        lines = [["x", "y", "z"], *([f"{x:.6f}" for x in point] for point in own)]
        _write_csv(folder / row[f"{side}_points"], lines)
    return row


def _write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    columns = [f"{side}{kind}" for kind in _KINDS for side in ("fixed", "moving")]
    _write_csv(path, [columns, *([row[name] for name in columns] for row in rows)])


def _write_csv(path: Path, lines: list[list[str]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(lines)
