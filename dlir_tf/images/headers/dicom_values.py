"""The values in a DICOM file, sequences too, as far as somebody asks for them.

ITK hands on what lies at the top of a file only, while files of many frames state in
sequences where each of these lies. Whoever asks knows what a tag is: text, numbers
in text, or numbers in bytes.
"""

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dlir_tf.images.headers.dicom_elements import (
    ITEM,
    UNDEFINED,
    Element,
    Reader,
    beginning_of,
)

Tag = tuple[int, int]

# Numbers that are no text: their layout in `struct`, by tag.
_BINARY: dict[Tag, str] = {
    (0x0018, 0x6024): "H",  # ultrasound: the unit along x
    (0x0018, 0x6026): "H",
    (0x0018, 0x602C): "d",  # how far a pixel goes, in it
    (0x0018, 0x602E): "d",
    (0x0018, 0x9082): "d",  # echo time
    (0x0018, 0x9087): "d",  # b-value
    (0x0019, 0x100A): "H",  # Siemens: images in a mosaic
    (0x0020, 0x9128): "I",  # temporal position
    (0x0020, 0x9153): "d",  # trigger delay
    (0x0020, 0x9157): "I",  # place along each dimension
    (0x0020, 0x9165): "H",  # what a dimension is, a tag
    (0x0020, 0x930D): "d",  # offset in time
    (0x0028, 0x0002): "H",
    (0x0028, 0x0006): "H",
    (0x0028, 0x0010): "H",
    (0x0028, 0x0011): "H",
    (0x0028, 0x0100): "H",
    (0x0028, 0x0101): "H",
    (0x0028, 0x0102): "H",
    (0x0028, 0x0103): "H",
}


class Values:
    """The values of a file, or of one item of a sequence in it.

    Args:
        reader: Of the file.
        at: Where the first element begins.
        end: Where the last one ends at the latest.
        syntax: How values are encoded, a UID.
    """

    def __init__(self, reader: Reader, at: int, end: int, syntax: bytes) -> None:
        self.reader = reader
        self.syntax = syntax
        self._ends: dict[Tag, tuple[Element, int]] = {
            element.tag: (element, after) for element, after in reader.elements(at, end)
        }

    def __contains__(self, tag: Tag) -> bool:
        """Whether there is a value."""
        return tag in self._ends and self._ends[tag][0].length > 0

    def raw(self, tag: Tag) -> bytes:
        """The bytes of a value, with the marks of an end if it has them."""
        if tag not in self._ends:
            return b""
        element, after = self._ends[tag]
        return self.reader.raw[element.start : after]

    def text(self, tag: Tag) -> str:
        """A value as text; empty if there is none."""
        return self.raw(tag).decode("latin-1").strip("\0 ")

    def numbers(self, tag: Tag) -> npt.NDArray[np.float64]:
        """A value as numbers, none of them if it's missing.

        Raises:
            ValueError: If it's something else than numbers.
        """
        raw = self.raw(tag)
        if tag not in _BINARY:
            parts = self.text(tag).split("\\") if raw else []
            return np.array([float(part) for part in parts if part.strip()])
        kind = np.dtype(self.reader.order + _BINARY[tag])
        complete = len(raw) // kind.itemsize * kind.itemsize
        return np.frombuffer(raw[:complete], kind).astype(np.float64)

    def number(self, tag: Tag, default: float) -> float:
        """A value as one number."""
        found = self.numbers(tag)
        return float(found[0]) if len(found) else default

    def items(self, tag: Tag) -> Iterator["Values"]:
        """The items of a sequence; none if it isn't there."""
        if tag not in self._ends:
            return
        sequence, end = self._ends[tag]
        at = sequence.start
        while at + 8 <= end:
            item = self.reader.element(at, end)
            if item.tag != ITEM:
                return
            at = item.start + item.length
            if item.length == UNDEFINED:
                at = self.reader.end_of_item(item.start, end, 0)
            yield Values(self.reader, item.start, at, self.syntax)

    def first(self, tag: Tag) -> "Values | None":
        """The first item of a sequence."""
        return next(self.items(tag), None)


@contextlib.contextmanager
def open_values(path: Path) -> Iterator[Values]:
    """Opens the values of a file that `check_elements` has found whole.

    Raises:
        ValueError: If it isn't whole.
        OSError: If it can't be read.
    """
    with (
        path.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as raw,
    ):
        reader, start, syntax = beginning_of(raw)
        yield Values(reader, start, len(raw), syntax)
