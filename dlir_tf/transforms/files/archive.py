"""Reading the arrays of a `.npz` archive, if they are arrays and no bomb.

A few bytes of an archive may unpack to gigabytes, and a header of an array may claim
more than follows: both are found before memory is taken.
"""

import math
import zipfile
from pathlib import Path

import numpy as np

_HARMLESS = 1 << 28  # bytes; up to here nobody minds
_USUAL_PACKING = 50  # fields of displacements pack two or three times
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_MOST_ENTRIES = 10_000
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Reads all arrays, by their names; nothing in the file is run.

    Raises:
        ValueError: If something in the archive isn't an array of plain numbers or
            text, or it would unpack to far more than the file.
        OSError: If the file can't be read.
        zipfile.BadZipFile: If it's no archive, or damaged.
    """
    with zipfile.ZipFile(path) as archive:
        entries = archive.infolist()
        total = sum(entry.file_size for entry in entries)
        if len(entries) > _MOST_ENTRIES:
            raise ValueError(f"it holds {len(entries)} parts")
        if any(entry.compress_type not in _PACKINGS for entry in entries):
            raise ValueError("it is packed by another method than deflate")
        if total > max(_HARMLESS, _USUAL_PACKING * path.stat().st_size):
            raise ValueError(
                f"it would unpack to {total} bytes, more than {_USUAL_PACKING} times "
                "its size"
            )
        for entry in entries:
            _check_array(archive, entry)
    with np.load(path, allow_pickle=False) as arrays:
        return dict(arrays)


def _check_array(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Whether an entry is an array, as long as its header claims."""
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        if version not in _HEADERS:
            raise ValueError(f"{entry.filename} is of an unknown version")
        shape, _, dtype = _HEADERS[version](stream)
        if dtype.hasobject:
            raise ValueError(f"{entry.filename} holds objects, which could run code")
        claimed = math.prod(shape) * dtype.itemsize
        if claimed != entry.file_size - stream.tell() or min(shape, default=0) < 0:
            raise ValueError(f"{entry.filename} isn't as long as it claims")
