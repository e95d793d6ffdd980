"""Reads landmarks."""

import csv
import os

import numpy as np
import numpy.typing as npt

from dlir_tf.errors import InputError


def read_points(path: str | os.PathLike[str]) -> npt.NDArray[np.float64]:
    """Reads landmarks from a CSV file: a line `x,y,z` (or `x,y`), then world RAS+ mm.

    Returns:
        `(num_points, ndim)`, in the order of the file.

    Raises:
        InputError: If a line isn't a point; the message gives its number.
    """
    try:
        with open(path, newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream)
            numbered = [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise InputError(f"no such file: {path}; check the path") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{path}: can't be read as a CSV file of points ({error})"
        ) from error
    rows = [(n, row) for n, row in numbered if "".join(row).strip()]
    names = [name.strip() for name in rows[0][1]] if rows else []
    if names not in (["x", "y", "z"], ["x", "y"]):
        raise InputError(
            f"{path}, line {rows[0][0] if rows else 1}: the header must be x,y,z or "
            f"x,y (world coordinates, RAS+ mm), but is {','.join(names) or 'missing'}"
        )
    if len(rows) == 1:
        raise InputError(f"{path}: has a header but no points; add a line per point")
    points = [_parse_point(f"{path}, line {n}", row, names) for n, row in rows[1:]]
    return np.array(points, dtype=np.float64)


def _parse_point(where: str, row: list[str], names: list[str]) -> list[float]:
    try:
        point = [float(value) for value in row]
    except ValueError:
        point = []
    if len(point) != len(names) or not np.isfinite(point).all():
        raise InputError(
            f"{where}: must hold {len(names)} finite numbers ({','.join(names)}), but "
            f"is {','.join(row)!r}"
        )
    return point
