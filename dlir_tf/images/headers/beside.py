"""The file beside a header that holds its voxels.

A header may name any file of the machine, a pattern, or a list of files. What is read
is a plain file beside the header; other places only where `elsewhere_allowed`, as
somebody who made the header by hand may want.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.files.plain import what_is_wrong
from dlir_tf.images.headers.refusal import unreadable

_CURE = (
    "put the file beside the header and name it so, or, if you trust the header, say "
    "--allow-elsewhere (in Python: with elsewhere_allowed())"
)
# How many blocks allow it; of the whole process, since images are read by threads.
_blocks: list[object] = []


@contextlib.contextmanager
def elsewhere_allowed() -> Iterator[None]:
    """Lets headers name voxels in other folders, within the block."""
    block = object()
    _blocks.append(block)
    try:
        yield
    finally:
        _blocks.remove(block)


def is_elsewhere_allowed() -> bool:
    """Whether headers may name voxels in other folders now."""
    return bool(_blocks)


def file_beside(path: Path, key: str, name: str) -> Path:
    """The file of voxels that a header names.

    Args:
        path: The header.
        key: What the header calls it, for the messages.
        name: What it states.

    Raises:
        InputError: If it isn't the name of one plain file beside the header.
    """
    several = "%" in name or name.upper().startswith("LIST")
    if several or not name.isprintable() or not name:
        raise InputError(
            f"{path}: {key} must name one file of voxels, but is {name[:80]!r}; write "
            "the image into one file with the program that made it"
        )
    named = Path(name)
    outside = named.is_absolute() or ".." in named.parts or "\\" in name
    if outside and not _blocks:
        raise InputError(
            f"{path}: {key} must name a file in the folder of the header, but is "
            f"{name!r}; {_CURE}"
        )
    data = path.parent / named
    wrong = what_is_wrong(data)
    if wrong:
        raise unreadable(path, f"{key} names {name!r}, which {wrong}")
    inside = data.resolve().is_relative_to(path.parent.resolve())
    if not inside and not _blocks:
        raise InputError(
            f"{path}: {key} must name a file in the folder of the header, but "
            f"{name!r} is a link to {data.resolve()}; {_CURE}"
        )
    return data
