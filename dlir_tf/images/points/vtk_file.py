"""Going through the numbers and texts of a legacy VTK file, one after another.

Format: https://docs.vtk.org/en/latest/vtk_file_formats/vtk_legacy_file_format.html; of
texts, as `vtkDataWriter` writes them.
"""

from dataclasses import dataclass, field

import numpy as np

_TYPES = {
    **{"char": "i1", "unsigned_char": "u1", "short": "i2", "unsigned_short": "u2"},
    **{"int": "i4", "unsigned_int": "u4", "long": "i8", "unsigned_long": "u8"},
    **{"float": "f4", "double": "f8", "vtkidtype": "i4", "vtktypeint64": "i8"},
    **{"vtktypeint32": "i4", "vtktypeuint8": "u1", "vtktypeuint32": "u4"},
    **{"vtktypefloat32": "f4", "vtktypefloat64": "f8"},
}
_TEXTS = ("string", "utf8_string")


@dataclass
class Part:
    """Numbers in the file: from the line that says what they are to their end."""

    start: int
    data: int
    end: int
    count: int
    kind: np.dtype[np.generic]


@dataclass
class VtkFile:
    """A file, and how far it was gone through.

    Attributes:
        raw: Its bytes.
        binary: Whether numbers are binary, big-endian.
        offsets: Whether cells are in two parts, as since version 5.1.
        at: Where to go on.
        section: Points or cells: to what the attributes that follow belong.
        count: How many of these there are.
        parts: What was looked for, by name.
    """

    raw: bytes
    binary: bool
    offsets: bool
    at: int
    section: str = ""
    count: int = 0
    parts: dict[str, Part] = field(default_factory=dict)

    def line(self) -> tuple[int, list[str]]:
        """Where the next line with words begins, and they; none at the end."""
        while self.at < len(self.raw):
            start, end = self.at, self.raw.find(b"\n", self.at)
            self.at = len(self.raw) if end < 0 else end + 1
            words = self.raw[start : self.at].split()
            if words:
                return start, [word.decode("latin-1") for word in words[:8]]
        return self.at, []

    def numbers(self, start: int, count: int, type_name: str) -> Part:
        """Passes over numbers, or texts, that come next."""
        if type_name.lower() in _TEXTS:
            return self._texts(start, count)
        if type_name.lower() == "bit" and self.binary:
            count, type_name = (count + 7) // 8, "char"
        if type_name.lower() not in (*_TYPES, "bit"):
            raise ValueError(f"it holds values of type {type_name}, which aren't known")
        kind = np.dtype(_TYPES.get(type_name.lower(), "i1"))
        data = self.at
        if self.binary:
            self.at += count * kind.itemsize
            complete = self.at <= len(self.raw)
        else:
            words = self.raw[data:].split(None, count)
            rest = len(words[count]) if len(words) > count else 0
            complete = len(words) >= count
            self.at = len(self.raw) - rest
        if not complete or count < 0:
            raise ValueError(f"it ends before {count} numbers of type {type_name}")
        return Part(start, data, self.at, count, kind)

    def _texts(self, start: int, count: int) -> Part:
        """Passes over texts: a line each or, in binary, each after its length.

        The first two bits of a length say how many bytes it has: 8, 4, 2 or 1.
        """
        data = self.at
        if count < 0:
            raise ValueError(f"it claims {count} texts")
        for done in range(count):
            if self.binary:
                size = 8 >> (self.raw[self.at] >> 6) if self.at < len(self.raw) else 1
                length = int.from_bytes(self.raw[self.at : self.at + size], "big")
                self.at += size + (length & (1 << 8 * size - 2) - 1)
                complete = self.at <= len(self.raw)
            else:
                end = self.raw.find(b"\n", self.at)
                complete = end >= 0 or self.at < len(self.raw)
                self.at = len(self.raw) if end < 0 else end + 1
            if not complete:
                raise ValueError(f"it ends after {done} of {count} texts")
        return Part(start, data, self.at, count, np.dtype("i1"))
