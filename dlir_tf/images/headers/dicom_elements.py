"""The elements of a DICOM file: that each ends within it, and its voxels are there.

GDCM, which reads the files for ITK, takes memory for whatever length an element states:
4 GB for a file of 1.5 kB. So the lengths are added up here first; values are looked at
only as far as they say how many voxels there are.

Format: https://dicom.nema.org/medical/dicom/current/output/html/part05.html
"""

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dlir_tf.images.headers.voxels import MOST_PACKED, MOST_PADDING

UNDEFINED = 0xFFFFFFFF
ITEM, _ITEM_END, _SEQUENCE_END = (0xFFFE, 0xE000), (0xFFFE, 0xE00D), (0xFFFE, 0xE0DD)
_SYNTAX, VOXELS = (0x0002, 0x0010), (0x7FE0, 0x0010)
_SAMPLES, _FRAMES = (0x0028, 0x0002), (0x0028, 0x0008)
_ROWS, _COLUMNS, _BITS = (0x0028, 0x0010), (0x0028, 0x0011), (0x0028, 0x0100)
IMPLICIT, BIG_ENDIAN = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.2"
EXPLICIT, _DEFLATED = b"1.2.840.10008.1.2.1", b"1.2.840.10008.1.2.1.99"
_SHORT = b"AE AS AT CS DA DS DT FL FD IS LO LT PN SH SL SS ST TM UI UL US".split()
_LONG = b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split()
_DEEPEST = 20  # sequences within sequences
_HARMLESS = 1 << 26


@dataclass(frozen=True)
class Element:
    """One element: where its value begins and how long it is.

    Attributes:
        tag: Group and element.
        start: Where its value begins.
        length: How long that is, `UNDEFINED` if an end is marked instead.
        nested: Whether the value is a sequence.
    """

    tag: tuple[int, int]
    start: int
    length: int
    nested: bool


def check_elements(path: Path) -> None:
    """Checks a file that begins as DICOM files do.

    Raises:
        ValueError: If an element ends beyond the file or what it is part of, or if
            fewer voxels are there than rows, columns and frames claim.
        OSError: If the file can't be read.
    """
    with (
        path.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as raw,
    ):
        reader, start, syntax = beginning_of(raw)
        packed = syntax not in (IMPLICIT, EXPLICIT, BIG_ENDIAN)
        elements = [element for element, _ in reader.elements(start, len(raw))]
        _check_voxels(reader, elements, packed)


def beginning_of(raw: mmap.mmap) -> tuple["Reader", int, bytes]:
    """How a file is to be read, where its elements begin, and its transfer syntax.

    Raises:
        ValueError: If it's deflated as a whole, or ends too early.
    """
    start = 132 if raw[128:132] == b"DICM" else 0
    syntax = EXPLICIT
    meta = Reader(raw, "<", explicit=True)
    while start + 8 <= len(raw) and raw[start : start + 2] == b"\x02\x00":
        element = meta.element(start, len(raw))
        if element.tag == _SYNTAX:
            value = raw[element.start : element.start + element.length]
            syntax = value.rstrip(b"\0 ")
        start = element.start + element.length
    if syntax == _DEFLATED:
        raise ValueError("it's deflated as a whole")
    order = ">" if syntax == BIG_ENDIAN else "<"
    return Reader(raw, order, explicit=syntax != IMPLICIT), start, syntax


class Reader:
    """Finds elements in the bytes of a file."""

    def __init__(self, raw: mmap.mmap, order: str, *, explicit: bool) -> None:
        self.raw = raw
        self.order = order
        self.explicit = explicit

    def numbers(self, layout: str, at: int) -> tuple[int, ...]:
        """Numbers at a place, their layout as in `struct`."""
        return struct.unpack_from(self.order + layout, self.raw, at)

    def element(self, at: int, end: int) -> Element:
        """The element that begins somewhere; it must end where its parent ends."""
        if at + 8 > end:
            raise ValueError("an element isn't complete")
        group, number = self.numbers("HH", at)
        kind = self.raw[at + 4 : at + 6]
        start, (length,) = at + 8, self.numbers("I", at + 4)
        if group != 0xFFFE and self.explicit and kind in _SHORT:
            length = self.numbers("H", at + 6)[0]
        elif group != 0xFFFE and self.explicit and kind in _LONG:
            if at + 12 > end:
                raise ValueError("an element isn't complete")
            start, (length,) = at + 12, self.numbers("I", at + 8)
        if length != UNDEFINED and start + length > end:
            raise ValueError(
                f"element {group:04x},{number:04x} states {length} bytes, but only "
                f"{end - start} follow"
            )
        nested = length == UNDEFINED or (self.explicit and kind == b"SQ")
        return Element((group, number), start, length, nested)

    def elements(
        self, at: int, end: int, depth: int = 0
    ) -> Iterator[tuple[Element, int]]:
        """The elements between two places, or up to the mark of an end.

        Sequences are gone through, too.

        Yields:
            Each element, and where the next one begins.
        """
        if depth > _DEEPEST:
            raise ValueError(f"sequences are nested more than {_DEEPEST} deep")
        while at + 8 <= end:
            element = self.element(at, end)
            if element.tag == _ITEM_END:
                return
            at = element.start + element.length
            if element.nested:
                stop = end if element.length == UNDEFINED else at
                at = self.end_of_items(element, stop, depth)
            yield element, at

    def end_of_items(self, sequence: Element, end: int, depth: int) -> int:
        """Where a sequence ends, or the pieces of packed voxels."""
        at, marked = sequence.start, sequence.length == UNDEFINED
        while at < end:
            item = self.element(at, end)
            if item.tag == _SEQUENCE_END and marked:
                return item.start
            if item.tag != ITEM:
                raise ValueError("a sequence holds something else than items")
            at = item.start + item.length
            if item.length == UNDEFINED:
                at = self.end_of_item(item.start, end, depth)
            elif sequence.tag != VOXELS:
                for _ in self.elements(item.start, at, depth + 1):
                    pass
        if marked:
            raise ValueError("a sequence doesn't end")
        return at

    def end_of_item(self, at: int, end: int, depth: int) -> int:
        """Where an item ends that doesn't state its length."""
        for _, after in self.elements(at, end, depth + 1):
            at = after
        if at + 8 > end or self.element(at, end).tag != _ITEM_END:
            raise ValueError("an item doesn't end")
        return at + 8


def _check_voxels(reader: Reader, elements: list[Element], packed: bool) -> None:
    """Whether as many voxels are there as the image claims to have."""
    found = {element.tag: element for element in elements}
    if VOXELS not in found or _ROWS not in found or _COLUMNS not in found:
        return  # not an image; GDCM says so if it should be one

    def number(tag: tuple[int, int], default: int) -> int:
        element = found.get(tag)
        if element is None or element.length < 2:
            return default
        return reader.numbers("H", element.start)[0]

    bits = number(_ROWS, 0) * number(_COLUMNS, 0) * number(_SAMPLES, 1)
    claimed = bits * number(_BITS, 16) * _num_frames(reader, found.get(_FRAMES)) // 8
    voxels = found[VOXELS]
    size = voxels.length
    if voxels.length == UNDEFINED:
        size = reader.end_of_items(voxels, len(reader.raw), 0) - voxels.start
    if packed or voxels.length == UNDEFINED:
        fits = claimed <= max(_HARMLESS, MOST_PACKED * size)
    else:
        # Of colours, some may be stored for two voxels together.
        least = claimed if number(_SAMPLES, 1) == 1 else claimed // 3
        fits = least <= size <= claimed + MOST_PADDING
    if not fits or not claimed:
        raise ValueError(
            f"it claims {claimed} bytes of voxels, but there are {size}"
            f"{' packed ones' * packed}"
        )


def _num_frames(reader: Reader, element: Element | None) -> int:
    if element is None or not element.length:
        return 1
    text = reader.raw[element.start : element.start + min(element.length, 20)]
    return int(text.strip(b"\0 ") or b"1")
