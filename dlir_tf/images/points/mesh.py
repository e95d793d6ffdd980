"""Meshes whose files are kept as they are, but for their vertices and normals.

Such files seldom state their world. Those of 3D Slicer do, by `SPACE=RAS` or
`SPACE=LPS` in the header or a comment; where nothing is stated they are LPS+, as 3D
Slicer and ITK take them.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dlir_tf.errors import InputError
from dlir_tf.files import replacing
from dlir_tf.images.frame import flip_ras_lps

Points = npt.NDArray[np.float64]

_SPACE = re.compile(rb"\bSPACE\s*=\s*(RAS|LPS)\b")


@dataclass(frozen=True, eq=False)
class Layout:
    """What a file holds, in the world of the file.

    Attributes:
        points: The vertices, `(num_points, 3)`.
        normals: One for each of them, or `None`.
        render: Makes the bytes of the file with other vertices and normals.
        header: Where its world may be stated.
        note: What the user should know of what isn't kept.
    """

    points: Points
    normals: Points | None
    render: Callable[[Points, Points | None], bytes]
    header: bytes
    note: str = ""


@dataclass(frozen=True, eq=False)
class MeshPoints:
    """The vertices of a mesh.

    Attributes:
        points: `(num_points, 3)`, RAS+ mm.
        normals: Of the surface at each of them, likewise, or `None`.
        lps: Whether the file is in LPS+.
        layout: What else is in the file.
        notes: What the user should know.
    """

    points: Points
    normals: Points | None
    lps: bool
    layout: Layout
    notes: tuple[str, ...] = ()

    @property
    def num_unset(self) -> int:
        """None: every vertex has its place."""
        return 0

    def with_normals(self, normals: Points) -> "MeshPoints":
        """The same mesh with other normals, `(num_points, 3)`, RAS+."""
        return replace(self, normals=normals)

    def write(self, path: Path, points: Points) -> None:
        """Writes the same mesh with other vertices, `(num_points, 3)`, RAS+ mm."""
        normals = self.normals
        if self.lps:
            points = flip_ras_lps(points)
            normals = None if normals is None else flip_ras_lps(normals)
        raw = self.layout.render(points, normals)
        with replacing(path) as unfinished:
            unfinished.write_bytes(raw)


def mesh_of(path: Path, layout: Layout, space: str | None) -> MeshPoints:
    """The mesh in a file, in the world that it states, or that was chosen.

    Args:
        path: The file, for messages.
        layout: What it holds.
        space: `"RAS"` or `"LPS"`, if one was chosen.

    Raises:
        InputError: If one was chosen though the file states it.
    """
    found = _SPACE.search(layout.header)
    stated = found[1].decode() if found else ""
    if stated and space:
        raise InputError(
            f"{path}: states its own world, {stated}, so none can be chosen; leave "
            f"--space {space} out"
        )
    notes = [layout.note] if layout.note else []
    if not stated and not space:
        notes.append(
            "states no world, so it's taken for LPS+, as 3D Slicer and ITK take it "
            "(--space RAS for the other)"
        )
    lps = (stated or space or "LPS") == "LPS"
    points, normals = layout.points, layout.normals
    if lps:
        points = flip_ras_lps(points)
        normals = None if normals is None else flip_ras_lps(normals)
    return MeshPoints(points, normals, lps, layout, tuple(notes))


def texts_of(numbers: Points, kind: np.dtype[np.generic]) -> list[str]:
    """Numbers as text, the shortest that gives them back in their type."""
    return [str(number) for number in (numbers.ravel() + 0.0).astype(kind)]
