"""Landmarks in a CSV file: a line `x,y,z` (or `x,y`), then world mm, a point a line.

Further columns, such as names, are kept as they are, in their order.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dlir_tf.errors import InputError
from dlir_tf.files import replacing
from dlir_tf.files.csv_rows import hint_of_commas, rows_of
from dlir_tf.images.frame import flip_ras_lps

_DECIMALS = 6  # a millionth of a mm


@dataclass(frozen=True, eq=False)
class CsvPoints:
    """Landmarks as a CSV file has them.

    Attributes:
        points: `(num_points, ndim)`, RAS+ mm.
        rows: All cells: the names of the columns, then a row per point.
        columns: Where the coordinates are, in the order x, y, z.
        lps: Whether the coordinates in the file are LPS+.
    """

    points: npt.NDArray[np.float64]
    rows: list[list[str]]
    columns: list[int]
    lps: bool

    @property
    def num_unset(self) -> int:
        """None: every line has its coordinates."""
        return 0

    def rows_with(self, points: npt.NDArray[np.float64]) -> list[list[str]]:
        """The cells with other points in them, `(num_points, ndim)`, RAS+ mm."""
        numbers = np.round(flip_ras_lps(points) if self.lps else points, _DECIMALS)
        rows = [list(row) for row in self.rows]
        for row, point in zip(rows[1:], numbers, strict=True):
            for column, number in zip(self.columns, point, strict=True):
                row[column] = repr(float(number) + 0.0)  # never -0.0
        return rows

    def write(self, path: Path, points: npt.NDArray[np.float64]) -> None:
        """Writes the same file with other points, `(num_points, ndim)`, RAS+ mm."""
        with (
            replacing(path) as unfinished,
            unfinished.open("w", newline="", encoding="utf-8") as stream,
        ):
            csv.writer(stream, lineterminator="\n").writerows(self.rows_with(points))


def read_csv_points(path: Path, *, lps: bool = False) -> CsvPoints:
    """Reads landmarks from a CSV file.

    Args:
        path: The file; its columns x, y and, if there is one, z are the coordinates.
        lps: Whether they are LPS+, as ITK and ANTs have them, instead of RAS+.

    Raises:
        InputError: If a line isn't a point; the message gives its number.
    """
    return points_in_rows(path, _read_rows(path), lps=lps)


def points_in_rows(
    path: Path, numbered: list[tuple[int, list[str]]], *, lps: bool
) -> CsvPoints:
    """Finds the landmarks in rows of cells.

    Args:
        path: The file, for messages.
        numbered: The number of its line and the cells of every row; the first has the
            names of the columns.
        lps: Whether coordinates are LPS+ instead of RAS+.

    Raises:
        InputError: If a row isn't a point.
    """
    header = numbered[0][1] if numbered else []
    names = [name.strip().lower() for name in header]
    axes = [name for name in ("x", "y", "z") if name in names]
    if axes[:2] != ["x", "y"] or any(names.count(name) > 1 for name in axes):
        raise InputError(
            f"{path}, line {numbered[0][0] if numbered else 1}: the header must be "
            "x,y,z or x,y (world mm), beside further columns if there are any, but is "
            f"{','.join(header) or 'missing'}{hint_of_commas(header)}"
        )
    if len(numbered) == 1:
        raise InputError(f"{path}: has a header but no points; add a line per point")
    columns = [names.index(name) for name in axes]
    points = np.array(
        [_parse(f"{path}, line {n}", row, header, columns) for n, row in numbered[1:]]
    )
    rows = [row for _, row in numbered]
    return CsvPoints(flip_ras_lps(points) if lps else points, rows, columns, lps)


def _read_rows(path: Path) -> list[tuple[int, list[str]]]:
    """The rows that aren't empty, with the numbers of their lines."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return rows_of(stream)
    except FileNotFoundError:
        raise InputError(f"no such file: {path}; check the path") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: can't be read as a CSV file of points ({error}); save it as "
            "text with commas, in UTF-8"
        ) from error


def _number(cell: str) -> float:
    """A number as people write it; Python would take 12_5 for 125."""
    if "_" in cell:
        raise ValueError(cell)
    return float(cell)


def _parse(
    where: str, row: list[str], header: list[str], columns: list[int]
) -> list[float]:
    try:
        point = [_number(row[column]) for column in columns]
    except (ValueError, IndexError):
        point = []
    if len(row) != len(header) or not point or not np.isfinite(point).all():
        names = ",".join(header[column].strip() for column in columns)
        further = len(header) - len(columns)
        cells = f" among {len(header)} cells" if further else ""
        raise InputError(
            f"{where}: must hold {len(columns)} finite numbers ({names}){cells}, but "
            f"is {','.join(row)!r}"
        )
    return point
