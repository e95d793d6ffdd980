"""What an HDF5 file holds itself: no links to other files, no more than it has."""

from pathlib import Path
from typing import Any

from dlir_tf.images.headers.voxels import MOST_PACKED

_LONGEST_NAME = 200


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

    HDF5 takes memory for whatever length is stated where such a text is kept, so that
    is looked at first.

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
    if length is None:  # the file has the length and where the letters are
        with path.open("rb") as stream:
            stream.seek(data.id.get_offset() or 0)
            length = int.from_bytes(stream.read(4), "little")
    if length > _LONGEST_NAME:
        raise ValueError(f"expected a name as {name}, but it has {length} letters")
    return str(data.asstr()[0])
