"""Landmarks in the older files of 3D Slicer (`.fcsv`): CSV whose header is in comments.

The comments state version, world and columns:

    # Markups fiducial file version = 4.11
    # CoordinateSystem = LPS
    # columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID

Up to version 4.10 worlds are numbers: 0 is RAS+, 1 LPS+, 2 voxels.

Format: https://slicer.readthedocs.io/en/latest/developer_guide/modules/markups.html
"""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dlir_tf.errors import InputError
from dlir_tf.files import replacing
from dlir_tf.files.csv_rows import rows_of
from dlir_tf.images.points.csv_points import CsvPoints, points_in_rows

SUFFIX = ".fcsv"

_STATEMENT = re.compile(r"#\s*(\w+)\s*=\s*(.*)")
_IS_LPS = {"RAS": False, "0": False, "LPS": True, "1": True}


@dataclass(frozen=True, eq=False)
class FcsvPoints:
    """Landmarks as such a file has them.

    Attributes:
        comments: The lines before the landmarks.
        table: The landmarks; its first row has the names of the columns.
    """

    comments: list[str]
    table: CsvPoints

    @property
    def points(self) -> npt.NDArray[np.float64]:
        """The landmarks, `(num_points, 3)`, RAS+ mm."""
        return self.table.points

    @property
    def num_unset(self) -> int:
        """None: every line has its coordinates."""
        return 0

    def write(self, path: Path, points: npt.NDArray[np.float64]) -> None:
        """Writes the same file with other points, `(num_points, 3)`, RAS+ mm."""
        _, *rows = self.table.rows_with(points)
        with (
            replacing(path) as unfinished,
            unfinished.open("w", newline="", encoding="utf-8") as stream,
        ):
            stream.writelines(f"{comment}\n" for comment in self.comments)
            csv.writer(stream, lineterminator="\n").writerows(rows)


def read_fcsv_points(path: Path) -> FcsvPoints:
    """Reads landmarks from an `.fcsv` file of 3D Slicer.

    Raises:
        InputError: If the file states no world that is known, or no columns x, y and
            z, or a line isn't a point.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
        count = next((n for n, s in enumerate(lines) if s[:1] != "#"), len(lines))
        numbered = rows_of(lines[count:], count + 1)
    except FileNotFoundError:
        raise InputError(f"no such file: {path}; check the path") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: can't be read as landmarks of 3D Slicer ({error}); save them "
            "again, as .mrk.json"
        ) from error
    found = filter(None, map(_STATEMENT.match, lines[:count]))
    stated = {match[1]: match[2].strip() for match in found}
    world = stated.get("CoordinateSystem", "missing")
    columns = stated.get("columns", "").split(",")
    if world not in _IS_LPS or not {"x", "y", "z"} <= set(columns):
        raise InputError(
            f"{path}: its comments must state CoordinateSystem = LPS or RAS and the "
            f"columns x,y,z, but state {world} and {','.join(columns) or 'none'}; save "
            "the landmarks from 3D Slicer as .mrk.json"
        )
    rows = [(count, columns), *numbered]
    return FcsvPoints(lines[:count], points_in_rows(path, rows, lps=_IS_LPS[world]))
