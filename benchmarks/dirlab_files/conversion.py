"""Cases as files that every program reads: NIfTI, CSV, and a manifest of the pairs."""

import csv
from functools import partial
from pathlib import Path

import numpy as np

from dirlab_files.scans import Found, Scan
from dlir_tf.files import check_folder, make_folder, write_together
from dlir_tf.images import write_image


def write_cases(found: Found, folder: Path) -> Path:
    """Writes images, landmarks and a manifest: all of them or, if one fails, none.

    A mask of the lungs that somebody made of a written image, and put beside it as
    `case1_T00_mask.nii.gz`, goes into the manifest.

    Args:
        found: Images are read one after another, as they are written.
        folder: Made if it isn't there.

    Returns:
        The manifest.

    Raises:
        InputError: If an image can't be read, or the folder not written.
    """
    check_folder(folder)
    make_folder(folder)
    writers, rows = {}, []
    for case in found.cases:
        row = {}
        for column, scan in (("fixed", case.fixed), ("moving", case.moving)):
            row[column] = f"{scan.name}.nii.gz"
            writers[folder / row[column]] = partial(_write_image, scan)
            if scan.points is not None:
                row[f"{column}_points"] = f"{scan.name}.csv"
                path = folder / row[f"{column}_points"]
                writers[path] = partial(_write_points, scan.points)
            if (mask := folder / f"{scan.name}_mask.nii.gz").exists():
                row[f"{column}_mask"] = mask.name
        rows.append(row)
    manifest = folder / f"{found.key}.csv"
    write_together({**writers, manifest: partial(_write_rows, rows)})
    return manifest


def _write_image(scan: Scan, path: Path) -> None:
    write_image(path, scan.read())


def _write_points(points: np.ndarray, path: Path) -> None:
    # A thousandth of a mm; numbers are written as the shortest that say so.
    rows = np.round(points, 3) + 0.0
    text = "".join(f"{','.join(map(str, row))}\n" for row in rows.tolist())
    path.write_text(f"x,y,z\n{text}", "utf-8")


def _write_rows(rows: list[dict[str, str]], path: Path) -> None:
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
