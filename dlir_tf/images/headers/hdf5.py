"""What an HDF5 file holds itself: no links to other files, no more than it has."""

from typing import Any

from dlir_tf.images.headers.voxels import MOST_PACKED


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
