"""What landmarks are called, in the files that say so."""

import os

from dlir_tf.images.points.csv_points import CsvPoints
from dlir_tf.images.points.fcsv_points import FcsvPoints
from dlir_tf.images.points.markups import MarkupPoints, placed_points
from dlir_tf.images.points.reading import read_point_file

_COLUMNS = ("name", "label", "id")


def read_point_names(path: str | os.PathLike[str]) -> tuple[str, ...]:
    """Reads the names of landmarks, in the order of `read_points`.

    Args:
        path: A CSV file, which has them in a column `name`, `label` or `id`, or a file
            of 3D Slicer.

    Returns:
        One for each; none if the file doesn't name them all.

    Raises:
        InputError: If the file can't be read.
    """
    file = read_point_file(path)
    names: list[str] = []
    if isinstance(file, MarkupPoints):
        placed = placed_points(file.document)
        names = [str(point.get("label", "")) for _, point in placed]
    elif isinstance(file, CsvPoints | FcsvPoints):
        table = file.table if isinstance(file, FcsvPoints) else file
        header = [cell.strip().lower() for cell in table.rows[0]]
        column = next((c for c in _COLUMNS if c in header), None)
        if column is not None:
            at = header.index(column)
            names = [row[at].strip() for row in table.rows[1:]]
    return tuple(names) if all(names) else ()
