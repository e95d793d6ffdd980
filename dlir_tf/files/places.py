"""Where what is written goes: through links, and onto nothing but plain files.

A draft takes its place by a rename, which would put a file where a link, a pipe or even
a device was.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.files.disk import write_errors
from dlir_tf.files.drafts import drafting
from dlir_tf.files.moving import Move
from dlir_tf.files.plain import what_is_wrong


def real_place(path: Path) -> Path:
    """What a path leads to by links, whether that is there or not; most often itself.

    The folders above it stay as they are called.
    """
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def what_is_in_the_way(path: Path) -> str:
    """Why a file can't take the place of what is there; empty if it can.

    Folders aren't looked for.
    """
    if real_place(path).is_symlink():
        return "is a link that leads in a circle"
    if path.exists() and not path.is_file() and not path.is_dir():
        return what_is_wrong(path)
    return ""


@contextlib.contextmanager
def through_links(moves: Sequence[Move]) -> Iterator[list[Move]]:
    """Takes drafts whose places are links to where those lead, maybe on another disk.

    Args:
        moves: From where to where.

    Yields:
        The same, in their order, from beside their real places.

    Raises:
        InputError: If something else than a file or a folder is in a place.
        WriteError: If they can't be brought there.
    """
    for _, place in moves:
        if wrong := what_is_in_the_way(place):
            raise InputError(f"{wrong}; choose the name of a plain file", place=place)
    links = {place: real_place(place) for _, place in moves if place.is_symlink()}
    with drafting(list(links.values())) as drafts:
        there = dict(zip(links, drafts, strict=True))
        brought = []
        for file, place in moves:
            draft = there.get(place)
            if draft is None:
                brought.append((file, place))
                continue
            with write_errors(draft.path, draft.folder):
                shutil.move(file, draft.file)
            brought.append((draft.file, draft.path))
        yield brought
