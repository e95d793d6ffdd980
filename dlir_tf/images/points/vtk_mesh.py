"""Legacy VTK files of surfaces and lines (PolyData) or cells, text or binary.

The file is gone through, part by part, to find the vertices and their normals, and to
see that it's complete; all other parts stay byte for byte. Normals of cells are left
out: they follow from the vertices, and programs that show a surface make them.

Format: https://docs.vtk.org/en/latest/vtk_file_formats/vtk_legacy_file_format.html
"""

import re

import numpy as np

from dlir_tf.images.points.mesh import Layout, Points, texts_of
from dlir_tf.images.points.vtk_file import Part, VtkFile

_DATASETS = ("polydata", "unstructured_grid", "structured_grid")
_CELLS = ("vertices", "lines", "polygons", "triangle_strips", "cells")
# How many numbers a point or cell has of it.
_ATTRIBUTES = {"vectors": 3, "normals": 3, "tensors": 9, "tensors6": 6}
_IDS = ("global_ids", "pedigree_ids", "edge_flags")


def parse_vtk(raw: bytes) -> Layout:
    """Finds the vertices of a file.

    Raises:
        ValueError: If it's damaged, of another kind, or holds what isn't known.
    """
    head = re.match(
        rb"# vtk DataFile Version (\d+)\.(\d+)[^\n]*\n([^\n]*)\n\s*(ASCII|BINARY)\s*\n",
        raw,
        re.IGNORECASE,
    )
    if head is None:
        raise ValueError("it has no header of a legacy VTK file")
    version = (int(head[1]), int(head[2]))
    file = VtkFile(raw, head[4].upper() == b"BINARY", version >= (5, 1), head.end())
    _, words = file.line()
    if [word.lower() for word in words[:1]] != ["dataset"] or len(words) < 2:
        raise ValueError("it doesn't say what kind of data it holds")
    if words[1].lower() not in _DATASETS:
        raise ValueError(f"it's a {words[1]}, not a surface (POLYDATA) or a mesh")
    _read_parts(file)
    if "points" not in file.parts:
        raise ValueError("it has no POINTS")
    return _layout(file, bytes(head[3]))


def _read_parts(file: VtkFile) -> None:
    while True:
        start, words = file.line()
        if not words:
            return
        name, *rest = words
        try:
            _read_part(file, start, name.lower(), rest)
        except (IndexError, OverflowError) as error:
            raise ValueError(f"its line {' '.join(words)!r} isn't complete") from error


def _read_part(file: VtkFile, start: int, name: str, words: list[str]) -> None:
    """One part, by the words of its line."""
    if name == "points":
        file.parts["points"] = file.numbers(start, 3 * int(words[0]), words[1])
    elif name in _CELLS:
        _read_cells(file, start, [int(word) for word in words[:2]])
    elif name == "cell_types":
        file.numbers(start, int(words[0]), "int")
    elif name in ("point_data", "cell_data"):
        file.section, file.count = name, int(words[0])
    elif name == "metadata":
        blank = re.compile(rb"\r?\n\r?\n").search(file.raw, file.at - 1)
        file.at = blank.end() if blank else len(file.raw)
    elif name == "field":
        for _ in range(int(words[1])):
            begin, array = file.line()
            if array[:1] == ["METADATA"]:
                _read_part(file, begin, "metadata", [])
                begin, array = file.line()
            file.numbers(begin, int(array[1]) * int(array[2]), array[3])
    elif name != "dimensions":
        _read_attribute(file, start, name, words)


def _read_cells(file: VtkFile, start: int, counts: list[int]) -> None:
    if not file.offsets:
        file.numbers(start, counts[1], "int")
        return
    for name, count in zip(("offsets", "connectivity"), counts, strict=True):
        begin, words = file.line()
        if words[0].lower() != name:
            raise ValueError(f"its cells have no {name.upper()}")
        file.numbers(begin, count, words[1])


def _read_attribute(file: VtkFile, start: int, name: str, words: list[str]) -> None:
    """What points or cells have."""
    count = file.count
    if name in _ATTRIBUTES:
        part = file.numbers(start, _ATTRIBUTES[name] * count, words[1])
        if name == "normals":
            file.parts[f"normals of {file.section}"] = part
    elif name == "scalars":
        components = int(words[2]) if len(words) > 2 else 1
        begin, table = file.line()
        if table[0].lower() != "lookup_table":
            file.at = begin
        file.numbers(start, components * count, words[1])
    elif name == "color_scalars":
        kind = "unsigned_char" if file.binary else "float"
        file.numbers(start, int(words[1]) * count, kind)
    elif name == "lookup_table":
        kind = "unsigned_char" if file.binary else "float"
        file.numbers(start, 4 * int(words[1]), kind)
    elif name == "texture_coordinates":
        file.numbers(start, int(words[1]) * count, words[2])
    elif name in _IDS:
        file.numbers(start, count, words[1])
    else:
        raise ValueError(f"it has a part {name.upper()[:40]!r}, which isn't known")


def _layout(file: VtkFile, title: bytes) -> Layout:
    points = file.parts["points"]
    normals = file.parts.get("normals of point_data")
    cells = file.parts.get("normals of cell_data")

    def render(moved: Points, turned: Points | None) -> bytes:
        # Vertices that are whole numbers can't be moved and stay so.
        kind = points.kind if points.kind.kind == "f" else np.dtype("f8")
        name = "float" if kind.itemsize == 4 else "double"
        line = f"POINTS {len(moved)} {name}\n".encode()
        pieces = [(points.start, points.end, line + _bytes(file, moved, kind))]
        if normals is not None and turned is not None:
            made = _bytes(file, turned, normals.kind)
            pieces.append((normals.data, normals.end, made))
        if cells is not None:
            pieces.append((cells.start, cells.end, b""))
        raw, at = [], 0
        for start, end, made in sorted(pieces):
            raw += [file.raw[at:start], made]
            at = end
        return b"".join([*raw, file.raw[at:]])

    return Layout(
        _numbers(file, points),
        None if normals is None else _numbers(file, normals),
        render,
        title,
        "normals of cells are left out, for they follow from the vertices"
        if cells is not None
        else "",
    )


def _numbers(file: VtkFile, part: Part) -> Points:
    if file.binary:
        kind = part.kind.newbyteorder(">")
        found = np.frombuffer(file.raw, kind, part.count, part.data)
        return found.astype(np.float64).reshape(-1, 3)
    words = file.raw[part.data : part.end].split()
    return np.array([float(word) for word in words]).reshape(-1, 3)


def _bytes(file: VtkFile, numbers: Points, kind: np.dtype[np.generic]) -> bytes:
    if file.binary:
        return numbers.astype(kind.newbyteorder(">")).tobytes()
    texts = texts_of(numbers, kind)
    rows = [" ".join(texts[n : n + 3]) for n in range(0, len(texts), 3)]
    return "".join(f"{row}\n" for row in rows).encode()
