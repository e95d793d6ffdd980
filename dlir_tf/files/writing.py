"""The one way to write files: as drafts, which take their places at the end.

What is written inside a block or by a function of this module, to the path that it is
given, isn't drafted again: writers call each other freely.
"""

import contextlib
import errno
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.files.disk import write_errors
from dlir_tf.files.drafts import Draft, draft_of, drafting, known_as, settle
from dlir_tf.files.moving import move_together
from dlir_tf.files.places import through_links
from dlir_tf.files.stopping import check_not_stopped


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives the name of a new file, which takes the place of `path` at the end.

    It is called as it will be called, in a new folder beside its place; what else is
    written into that folder, such as the voxels of a header, comes with it. If the
    block fails, the new files go and old ones stay as they were.

    Args:
        path: The file; an existing one is replaced, and of a link what it leads to.
            It may be a folder, too, that isn't there yet.

    Raises:
        WriteError: What the disk refuses, of `path`.
        InputError: What the block raises of its draft, of `path`.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "a.txt") as unfinished:
    ...         _ = unfinished.write_text("whole")
    ...     (Path(folder) / "a.txt").read_text()
    'whole'
    """
    path = Path(path)
    outer = draft_of(path)
    if outer is not None:
        with write_errors(known_as(path), outer.folder):
            yield path
        outer.finished.append(path.name)
        return
    with drafting([path]) as (draft,):
        with _told_as_known(draft):
            yield draft.file
        _move_all([draft])


def write_together(writers: Mapping[Path, Callable[[Path], object]]) -> None:
    """Writes several files: all of them or, if one fails, none.

    Old files of these names are away before the first new one is in its place.

    Each is written in a new folder beside its place and called as it will be called,
    so files that a writer puts beside it (the voxels of a header, the second of a
    pair) come with it.

    Args:
        writers: For every file, what writes it to the path that it is called with.
            The last one is what makes the others readable, if they belong together.

    Raises:
        WriteError: What the disk refuses, of the file.
        InputError: If a writer raises it; the message names the file.
    """
    outer = [draft_of(path) for path in writers]
    if all(outer):
        for path, write in writers.items():
            with replacing(path):
                write(path)
        return
    with drafting([Path(path) for path in writers]) as drafts:
        for draft, write in zip(drafts, writers.values(), strict=True):
            with _told_as_known(draft):
                write(draft.file)
        _move_all(drafts)


@contextlib.contextmanager
def _told_as_known(draft: Draft) -> Iterator[None]:
    """Raises errors of a draft as errors of the file that the user knows."""
    try:
        with write_errors(draft.path, draft.folder):
            yield
    except InputError as error:
        place = error.place
        if isinstance(place, Path) and draft.folder in place.parents:
            known = draft.path.parent / place.relative_to(draft.folder)
            raise error.at(known) from error
        raise


def _move_all(drafts: list[Draft]) -> None:
    """Moves drafts to their places; none, if one of these is a folder."""
    check_not_stopped()
    named = [move for draft in drafts for move in draft.moves()]
    with through_links(named) as moves:
        for file, target in moves:
            with write_errors(target, file.parent):
                if target.is_dir():
                    raise IsADirectoryError(errno.EISDIR, "Is a directory")
                settle(file)
        move_together(moves)
