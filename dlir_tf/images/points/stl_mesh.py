"""STL files: triangles, each with its three vertices and its normal, text or binary.

The normals are made anew, for they follow from the vertices. What programs add to each
triangle of a binary file (two bytes, a colour) stays.

Format: https://en.wikipedia.org/wiki/STL_(file_format)
"""

import re

import numpy as np

from dlir_tf.images.points.mesh import Layout, Points, texts_of

_TRIANGLE = np.dtype([("normal", "<f4", 3), ("points", "<f4", (3, 3)), ("more", "<u2")])
_START = 84
_NUMBERS = rb"\s+(\S+)\s+(\S+)\s+(\S+)"
_LINE = re.compile(
    rb"^([ \t]*(?:facet\s+normal|vertex))" + _NUMBERS, re.IGNORECASE | re.MULTILINE
)


def parse_stl(raw: bytes) -> Layout:
    """Finds the triangles of a file.

    Raises:
        ValueError: If it's damaged.
    """
    count = int.from_bytes(raw[80:_START], "little")
    if len(raw) == _START + count * _TRIANGLE.itemsize and len(raw) >= _START:
        return _binary(raw)
    if raw.lstrip()[:5].lower() == b"solid" and b"facet" in raw[:4096].lower():
        return _text(raw)
    raise ValueError(
        f"it states {count} triangles, which make "
        f"{_START + count * _TRIANGLE.itemsize} bytes, but has {len(raw)}"
        if len(raw) >= _START
        else "it's too short"
    )


def _binary(raw: bytes) -> Layout:
    triangles = np.frombuffer(raw, _TRIANGLE, offset=_START)

    def render(points: Points, normals: Points | None) -> bytes:
        made = triangles.copy()
        made["points"] = points.reshape(-1, 3, 3)
        made["normal"] = _normals(points)
        return raw[:_START] + made.tobytes()

    points = triangles["points"].reshape(-1, 3).astype(np.float64)
    return Layout(points, None, render, raw[:80])


def _text(raw: bytes) -> Layout:
    first, rest = raw[: raw.find(b"\n") + 1], raw[raw.find(b"\n") + 1 :]
    lines = list(_LINE.finditer(rest))
    kinds = [line[1].strip()[:1].lower() for line in lines]
    whole = bytes(raw.rstrip().splitlines()[-1]).strip().lower().startswith(b"endsolid")
    if kinds != [b"f", b"v", b"v", b"v"] * (len(kinds) // 4) or not whole:
        raise ValueError("a triangle in it isn't complete")
    vertices = [line for n, line in enumerate(lines) if n % 4]
    points = np.array([[float(x) for x in v.groups()[1:]] for v in vertices])

    def render(points: Points, normals: Points | None) -> bytes:
        all_numbers = np.concatenate(
            [_normals(points)[:, None], points.reshape(-1, 3, 3)], axis=1
        )
        texts = iter(texts_of(all_numbers, np.dtype(np.float32)))

        def line(match: re.Match[bytes]) -> bytes:
            numbers = " ".join([next(texts), next(texts), next(texts)])
            return match[1] + b" " + numbers.encode()

        return first + _LINE.sub(line, rest)

    return Layout(points.reshape(-1, 3), None, render, first)


def _normals(points: Points) -> Points:
    """Of triangles, by the right-hand rule; 0 of those that have no area."""
    a, b, c = np.moveaxis(points.reshape(-1, 3, 3), 1, 0)
    across = np.cross(b - a, c - a)
    length = np.linalg.norm(across, axis=1, keepdims=True)
    return np.asarray(across / np.where(length > 0, length, 1))
