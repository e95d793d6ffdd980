"""What an HDF5 file holds itself: no links to other files, no more than it has."""

import mmap
import struct
from pathlib import Path
from typing import Any

from dlir_tf.images.headers.voxels import MOST_PACKED

_LONGEST_NAME = 200
_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def member(group: Any, name: str) -> Any:
    """What a group of an h5py file holds itself, by its path within it.

    Raises:
        ValueError: If it is a link to somewhere else.
    """
    import h5py  # type: ignore[import-untyped]

    for part in name.split("/"):
        link = group.get(part, getlink=True)
        if link is not None and not isinstance(link, h5py.HardLink):
            raise ValueError(f"expected {part} in the file itself, not a link")
        group = group[part]
    return group


def check_dataset(group: Any, name: str) -> Any:
    """The data of that name, whose numbers are in the file itself.

    Raises:
        ValueError: If they are in another file, or fewer than it claims.
    """
    data = member(group, name)
    if data.external or data.is_virtual:
        raise ValueError("expected numbers in the file itself, not in another one")
    claimed = data.size * data.dtype.itemsize
    if claimed > MOST_PACKED * data.id.get_storage_size():
        raise ValueError(f"expected {claimed} bytes of numbers where there are fewer")
    return data


def read_name(path: Path, group: Any, name: str) -> str:
    """Reads a short text, of a single element.

    HDF5 takes memory for whatever length is stated where such a text is kept, and goes
    round for ever in the heap that has the letters if that is damaged; so both are
    looked at first.

    Args:
        path: The file.
        group: The group of an h5py file.
        name: What the text is called in the group.

    Raises:
        ValueError: If it isn't a short text in the file itself.
    """
    import h5py

    data = check_dataset(group, name)
    kind = h5py.check_string_dtype(data.dtype)
    if data.size != 1 or kind is None:
        raise ValueError(f"expected one text as {name}")
    length = kind.length
    if length is None:
        length = _check_letters(path, data.id.get_offset() or 0)
    if length > _LONGEST_NAME:
        raise ValueError(f"expected a name as {name}, but it has {length} letters")
    return str(data.asstr()[0])


def _check_letters(path: Path, place: int) -> int:
    """How many letters a text of any length has, once its heap is known to be whole.

    Args:
        path: The file; its addresses have 8 bytes, as they nearly always have.
        place: Where it has the length of the text, and the place of its heap.
    """
    with (
        path.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as raw,
    ):
        if raw[: len(_SIGNATURE)] != _SIGNATURE or place + 16 > len(raw):
            raise ValueError("expected the text in the file itself")
        length, address, wanted = struct.unpack_from("<IQI", raw, place)
        if length <= _LONGEST_NAME and wanted not in _heap(raw, address):
            raise ValueError("expected the text in its heap")
        return int(length)


def _heap(raw: mmap.mmap, address: int) -> set[int]:
    """The numbers of the texts in a heap.

    Raises:
        ValueError: If its parts don't fill it, one after the other.
    """
    start, end = address + 16, 0
    if start <= len(raw) and raw[address : address + 4] == b"GCOL":
        end = address + struct.unpack_from("<Q", raw, address + 8)[0]
    if not start <= end <= len(raw):
        raise ValueError("expected a heap of texts that is whole")
    found = set()
    while end - start >= 16:
        index, _, _, held = struct.unpack_from("<HHIQ", raw, start)
        taken = 16 + -(-held // 8) * 8 if index else held  # 0 is what is free
        if taken < 16 or start + taken > end:
            raise ValueError("expected a heap of texts that is whole")
        found.add(index)
        start += taken
    return found
