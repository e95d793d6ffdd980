"""PLY files, text or binary: vertices with whatever they have, faces and the rest.

Format: https://paulbourke.net/dataformats/ply/
"""

import struct
from dataclasses import dataclass, field

import numpy as np

from dlir_tf.images.points.mesh import Layout, Points, texts_of

_TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2"},
    **{"int": "i4", "uint": "u4", "float": "f4", "double": "f8"},
    **{"int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2"},
    **{"int32": "i4", "uint32": "u4", "float32": "f4", "float64": "f8"},
}
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_PLACE, _NORMAL = ("x", "y", "z"), ("nx", "ny", "nz")


@dataclass
class _Element:
    """A kind of things in the file: vertices, faces.

    Attributes:
        name: What it is.
        count: How many there are.
        properties: Name and types of each: one, or two for a list (its length, its
            members).
    """

    name: str
    count: int
    properties: list[tuple[str, list[str]]] = field(default_factory=list)

    @property
    def has_lists(self) -> bool:
        return any(len(types) == 2 for _, types in self.properties)


def parse_ply(raw: bytes) -> Layout:
    """Finds the vertices of a file.

    Raises:
        ValueError: If it's damaged, or its vertices aren't `x`, `y` and `z`.
    """
    head, mark, _ = raw.partition(b"end_header")
    start = raw.find(b"\n", len(head)) + 1
    if not raw.startswith(b"ply") or not mark or not start:
        raise ValueError("it has no header of PLY")
    order, elements = _header(head.decode("latin-1").splitlines())
    vertices = next((e for e in elements if e.name == "vertex"), None)
    names = [name for name, _ in vertices.properties] if vertices else []
    if vertices is None or not set(_PLACE) <= set(names):
        raise ValueError("it has no vertices with x, y and z")
    kinds = dict(vertices.properties)
    if any(kinds[name][0][0] != "f" or len(kinds[name]) > 1 for name in _PLACE):
        raise ValueError("x, y and z must be float or double")
    if vertices.has_lists:
        raise ValueError("its vertices have lists")
    find = _text if not order else _binary
    return find(raw, start, order, elements, vertices)


def _header(lines: list[str]) -> tuple[str, list[_Element]]:
    """The order of bytes, empty for text, and what there is."""
    order, elements = None, []
    for line in lines:
        words = line.split()
        if words[:1] == ["format"] and len(words) > 1:
            order = _ORDERS.get(words[1])
        elif words[:1] == ["element"] and len(words) == 3:
            elements.append(_Element(words[1], int(words[2])))
        elif words[:1] == ["property"] and elements:
            types = words[2:4] if words[1] == "list" else words[1:2]
            if not all(word in _TYPES for word in types):
                raise ValueError(f"it has a property {line.strip()!r}")
            known = [_TYPES[word] for word in types]
            elements[-1].properties.append((words[-1], known))
    if order is None or any(element.count < 0 for element in elements):
        raise ValueError("its header doesn't say whether it's text or binary")
    return order, elements


def _binary(
    raw: bytes, start: int, order: str, elements: list[_Element], vertices: _Element
) -> Layout:
    at, begin = start, start
    for element in elements:
        if element is vertices:
            begin = at
        at = _end_of(raw, at, order, element)
    kind = _row(order, vertices)
    rows = np.frombuffer(raw, kind, vertices.count, begin)
    end = begin + rows.nbytes
    names = {name for name, _ in vertices.properties}

    def columns(chosen: tuple[str, ...]) -> Points:
        return np.stack([rows[name].astype(np.float64) for name in chosen], axis=-1)

    def render(points: Points, normals: Points | None) -> bytes:
        made = rows.copy()
        for axis in range(3):
            made[_PLACE[axis]] = points[:, axis]
            if normals is not None:
                made[_NORMAL[axis]] = normals[:, axis]
        return raw[:begin] + made.tobytes() + raw[end:]

    normals = columns(_NORMAL) if set(_NORMAL) <= names else None
    return Layout(columns(_PLACE), normals, render, raw[:start])


def _row(order: str, element: _Element) -> np.dtype[np.void]:
    return np.dtype([(name, order + types[0]) for name, types in element.properties])


def _end_of(raw: bytes, at: int, order: str, element: _Element) -> int:
    """Where the things of one kind end in a binary file."""
    if not element.has_lists:
        at += element.count * _row(order, element).itemsize
    elif len(element.properties) == 1:
        at = _end_of_lists(raw, at, order, element)
    else:
        for _ in range(element.count):
            at = _end_of_one(raw, at, order, element)
    if at > len(raw):
        raise _too_short(element)
    return at


def _end_of_lists(raw: bytes, at: int, order: str, element: _Element) -> int:
    """Of many lists, most often as long as the first: triangles."""
    ((_, (length, member)),) = element.properties
    if not element.count:
        return at
    (first,) = np.frombuffer(raw, order + length, 1, at) if at < len(raw) else (0,)
    row = np.dtype([("n", order + length), ("of", order + member, (int(first),))])
    if at + element.count * row.itemsize <= len(raw):
        rows = np.frombuffer(raw, row, element.count, at)
        if (rows["n"] == first).all():
            return at + rows.nbytes
    for _ in range(element.count):
        at = _end_of_one(raw, at, order, element)
    return at


def _end_of_one(raw: bytes, at: int, order: str, element: _Element) -> int:
    for _, types in element.properties:
        first = np.dtype(order + types[0])
        if at + first.itemsize > len(raw):
            raise _too_short(element)
        if len(types) == 2:
            layout = order + first.char
            (length,) = struct.unpack_from(layout, raw, at)
            at += int(length) * np.dtype(types[1]).itemsize
        at += first.itemsize
    return at


def _too_short(element: _Element) -> ValueError:
    return ValueError(f"it ends before {element.name} {element.count} of its header")


def _text(
    raw: bytes, start: int, order: str, elements: list[_Element], vertices: _Element
) -> Layout:
    lines = [line for line in raw[start:].splitlines(keepends=True) if line.strip()]
    begin, total = 0, sum(element.count for element in elements)
    for element in elements:
        if element is vertices:
            break
        begin += element.count
    if len(lines) < total:
        raise ValueError(f"it has {len(lines)} lines for {total} things")
    names = [name for name, _ in vertices.properties]
    cells = [line.split() for line in lines[begin : begin + vertices.count]]
    if any(len(row) != len(names) for row in cells):
        raise ValueError(f"a vertex in it hasn't {len(names)} numbers")

    def columns(chosen: tuple[str, ...]) -> Points:
        at = [names.index(name) for name in chosen]
        return np.array([[float(row[n]) for n in at] for row in cells]).reshape(-1, 3)

    def render(points: Points, normals: Points | None) -> bytes:
        made = [list(row) for row in cells]
        for chosen, numbers in ((_PLACE, points), (_NORMAL, normals)):
            if numbers is None:
                continue
            for axis, name in enumerate(chosen):
                column = names.index(name)
                kind = np.dtype(vertices.properties[column][1][0])
                for row, text in zip(
                    made, texts_of(numbers[:, axis], kind), strict=True
                ):
                    row[column] = text.encode()
        moved = b"".join(b" ".join(row) + b"\n" for row in made)
        before, after = lines[:begin], lines[begin + vertices.count :]
        return b"".join([raw[:start], *before, moved, *after])

    normals = columns(_NORMAL) if set(_NORMAL) <= set(names) else None
    return Layout(columns(_PLACE), normals, render, raw[:start])
