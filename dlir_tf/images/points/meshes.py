"""Reads meshes, by the names of their files: `.vtk`, `.ply` and `.stl`."""

from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.images.points.mesh import MeshPoints, mesh_of
from dlir_tf.images.points.ply_mesh import parse_ply
from dlir_tf.images.points.shapes import check_places
from dlir_tf.images.points.stl_mesh import parse_stl
from dlir_tf.images.points.vtk_mesh import parse_vtk

_PARSERS = {".vtk": parse_vtk, ".ply": parse_ply, ".stl": parse_stl}
MESHES = tuple(_PARSERS)


def is_mesh_name(path: Path) -> bool:
    """Whether a file of that name holds a mesh."""
    return path.name.lower().endswith(MESHES)


def read_mesh(path: Path, space: str | None = None) -> MeshPoints:
    """Reads a mesh, by the name of the file.

    Args:
        path: The file.
        space: The world of a file that states none; `None` stands for LPS+.

    Raises:
        InputError: If the file is damaged or of another format, has no vertices, or
            states its world though `space` is given.
    """
    try:
        layout = _PARSERS[path.suffix.lower()](path.read_bytes())
    except (ValueError, OSError) as error:
        raise InputError(
            f"{path}: can't be read as a mesh ({str(error)[:200]}); it's damaged or of "
            "another format, so copy or write it again"
        ) from error
    check_places(path, layout.points)
    return mesh_of(path, layout, space)
