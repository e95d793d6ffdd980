"""HDF5 files without the times at which they were written.

ITK's HDF5 stamps every object of a file with the time, so the same transform gives
another file each second. What is in the file doesn't change by taking that out.
"""

import mmap
from pathlib import Path

_SIGNATURE, _VERSION = b"OHDR", 2
# Flags of an object's header: that it has times, and room for attributes.
_HAS_TIMES, _HAS_PHASES = 0x20, 0x10
_PREFIX, _TIMES, _CHECKSUM = 6, 16, 4
_MASK = 0xFFFFFFFF
# Which of the three words is mixed with which, turned by how many bits.
_MIXED = (
    *((0, 2, 4, 1), (1, 0, 6, 2), (2, 1, 8, 0)),
    *((0, 2, 16, 1), (1, 0, 19, 2), (2, 1, 4, 0)),
)
_FINAL = (
    *((2, 1, 14), (0, 2, 11), (1, 0, 25), (2, 1, 16)),
    *((0, 2, 4), (1, 0, 14), (2, 1, 24)),
)


def remove_times(path: Path) -> None:
    """Sets the times of all objects in an HDF5 file to 0, in their place.

    A header whose checksum isn't right is none, or damaged, and stays as it is.

    Args:
        path: A whole file, which nobody has open.
    """
    with path.open("r+b") as stream, mmap.mmap(stream.fileno(), 0) as raw:
        start = raw.find(_SIGNATURE)
        while start >= 0:
            _remove_times_at(raw, start)
            start = raw.find(_SIGNATURE, start + 1)
        raw.flush()


def _remove_times_at(raw: mmap.mmap, start: int) -> None:
    head = raw[start : start + _PREFIX]
    if len(head) < _PREFIX or head[4] != _VERSION or not head[5] & _HAS_TIMES:
        return
    begin = start + _PREFIX + _TIMES + (4 if head[5] & _HAS_PHASES else 0)
    width = 1 << (head[5] & 3)
    end = begin + width + int.from_bytes(raw[begin : begin + width], "little")
    stored = raw[end : end + _CHECKSUM]
    if stored != _checksum(raw[start:end]):
        return
    raw[start + _PREFIX : start + _PREFIX + _TIMES] = bytes(_TIMES)
    raw[end : end + _CHECKSUM] = _checksum(raw[start:end])


def _checksum(data: bytes) -> bytes:
    """Jenkins' lookup3, by which HDF5 checks its headers."""
    words = [(0xDEADBEEF + len(data)) & _MASK] * 3
    last = max(0, len(data) - 1) // 12 * 12
    for start in range(0, last, 12):
        _add(words, data[start : start + 12])
        for one, other, bits, more in _MIXED:
            words[one] = (words[one] - words[other]) & _MASK ^ _turned(
                words[other], bits
            )
            words[other] = (words[other] + words[more]) & _MASK
    if len(data) > last:
        _add(words, data[last:])
        for one, other, bits in _FINAL:
            mixed = words[one] ^ words[other]
            words[one] = (mixed - _turned(words[other], bits)) & _MASK
    return words[2].to_bytes(4, "little")


def _add(words: list[int], data: bytes) -> None:
    for index in range(3):
        more = int.from_bytes(data[4 * index : 4 * index + 4], "little")
        words[index] = (words[index] + more) & _MASK


def _turned(word: int, bits: int) -> int:
    return (word << bits | word >> (32 - bits)) & _MASK
