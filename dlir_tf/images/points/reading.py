"""Reads landmarks, whichever kind of file they are in."""

import os
import warnings
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from dlir_tf.errors import InputError, counted
from dlir_tf.files.plain import check_plain
from dlir_tf.images.points.csv_points import read_csv_points
from dlir_tf.images.points.fcsv_points import SUFFIX, read_fcsv_points
from dlir_tf.images.points.markups import read_markup_points
from dlir_tf.images.points.mesh import MeshPoints
from dlir_tf.images.points.meshes import MESHES, is_mesh_name, read_mesh
from dlir_tf.images.points.shapes import SHAPES, is_shape_name, read_shape

Space = Literal["RAS", "LPS"]
_TABLES = (".csv", ".tsv", ".txt", "")


class PointFile(Protocol):
    """A file of landmarks as it was read, to be written with them elsewhere."""

    @property
    def points(self) -> npt.NDArray[np.float64]:
        """The landmarks that have a position, `(num_points, ndim)`, RAS+ mm."""

    @property
    def num_unset(self) -> int:
        """How many landmarks have no position; they aren't in `points`."""

    def write(self, path: Path, points: npt.NDArray[np.float64]) -> None:
        """Writes the same file with other points; all else in it stays.

        Args:
            path: The file to write.
            points: In the place of `points`, the same shape, RAS+ mm.
        """


def is_markups_name(path: Path) -> bool:
    """Whether a file of that name holds markups of 3D Slicer: `.mrk.json`, `.json`."""
    return path.name.lower().endswith(".json")


def read_point_file(
    path: str | os.PathLike[str], *, space: Space | None = None
) -> PointFile:
    """Reads a file of points: by its name of 3D Slicer, a surface, streamlines, or CSV.

    Args:
        path: The file.
        space: The world of a CSV file, where `None` stands for RAS+; and of a mesh that
            doesn't state it, where it stands for LPS+. Others state theirs.

    Raises:
        InputError: If the file can't be read as one of landmarks, or `space` is given
            for one that states it.
    """
    path = Path(path)
    check_plain(path, "check the path")
    if is_mesh_name(path):
        return read_mesh(path, space)
    older, shape = path.name.lower().endswith(SUFFIX), is_shape_name(path)
    if not (older or shape or is_markups_name(path)):
        return _read_table(path, space)
    if space is not None:
        kind = "surfaces and streamlines" if shape else "markups"
        raise InputError(
            f"{path}: {kind} state their own world, so none can be chosen; leave "
            f"--space {space} out"
        )
    if shape:
        return read_shape(path)
    return read_fcsv_points(path) if older else read_markup_points(path)


def _read_table(path: Path, space: Space | None) -> PointFile:
    """Reads a CSV file; says so where its name is that of something else."""
    try:
        return read_csv_points(path, lps=space == "LPS")
    except InputError as error:
        if path.suffix.lower() in _TABLES:
            raise
        known = ", ".join((*MESHES, *SHAPES, SUFFIX))
        raise InputError(
            f"{error}; by its name it was read as CSV: other files of points that are "
            f"read end with {known} or .mrk.json"
        ) from error


def read_points(path: str | os.PathLike[str]) -> npt.NDArray[np.float64]:
    """Reads landmarks: a CSV file in world RAS+ mm, or a file of 3D Slicer.

    A CSV file has the columns `x,y,z` (or `x,y`); further ones are passed over.

    Returns:
        `(num_points, ndim)`, RAS+ mm, in the order of the file.

    Raises:
        InputError: If a line of a CSV file isn't a point (the message gives its
            number), or a landmark of markups has no position.
    """
    file = read_point_file(path)
    for note in file.notes if isinstance(file, MeshPoints) else ():
        warnings.warn(f"{path}: {note}", stacklevel=2)
    if file.num_unset:
        raise InputError(
            f"{path}: "
            f"{counted(file.num_unset, 'landmark has', 'landmarks have')} no position, "
            "so the order doesn't tell which one is which; place or remove them in 3D "
            "Slicer"
        )
    return file.points
