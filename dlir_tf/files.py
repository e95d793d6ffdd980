"""Writing files so that they are there whole or not at all."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dlir_tf.errors import InputError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives the name of a new file, which takes the place of `path` at the end.

    It is called as it will be called, in a new folder beside its place; what else is
    written into that folder, such as the voxels of a header, comes with it. If the
    block fails, the new files go and old ones stay as they were. What the disk
    refuses is raised as an `OSError` of `path`.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "a.txt") as unfinished:
    ...         _ = unfinished.write_text("whole")
    ...     (Path(folder) / "a.txt").read_text()
    'whole'
    """
    path = Path(path)
    with _folder_beside(path) as folder:
        unfinished = folder / path.name
        try:
            yield unfinished
            _move_all(_moves(path, folder))
        except OSError as error:
            if error.errno is None or error.filename not in (None, str(unfinished)):
                raise
            raise _naming(path, error) from error


def _naming(path: Path, error: OSError) -> OSError:
    """The same error, of the file that the user knows instead of its draft."""
    return OSError(error.errno, error.strerror, str(path))


def write_together(writers: Mapping[Path, Callable[[Path], None]]) -> None:
    """Writes several files: all of them or, if one fails, none.

    Each is written in a new folder beside its place and called as it will be called,
    so files that a writer puts beside it (the voxels of a header, the second of a
    pair) come with it.

    Args:
        writers: For every file, what writes it to the path that it is called with.

    Raises:
        InputError: If a writer raises it; the message names the file.
        OSError: What the disk refuses; of the file, too.
    """
    with contextlib.ExitStack() as drafts:
        places = {
            path: drafts.enter_context(_folder_beside(Path(path))) for path in writers
        }
        for path, write in writers.items():
            draft = places[path] / path.name
            try:
                write(draft)
            except InputError as error:
                message = _without_folder(str(error), places[path])
                raise InputError(message) from error
            except OSError as error:
                if error.errno is None:
                    raise
                name = _without_folder(str(error.filename or path), places[path])
                raise OSError(error.errno, error.strerror, name) from error
        _move_all(
            [move for path, place in places.items() for move in _moves(path, place)]
        )


@contextlib.contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    """A folder that is there only within the block."""
    try:
        name = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=path.parent)).name
    except OSError as error:
        raise _naming(path, error) from error
    try:
        yield path.parent / name
    finally:
        shutil.rmtree(path.parent / name, ignore_errors=True)


def _moves(path: Path, folder: Path) -> list[tuple[Path, Path]]:
    """From where to where: the file itself last, it needs those beside it."""
    drafts = sorted(
        folder.iterdir(), key=lambda draft: (draft.name == path.name, draft)
    )
    return [(draft, path.with_name(draft.name)) for draft in drafts]


def _move_all(moves: list[tuple[Path, Path]]) -> None:
    """Moves drafts to their places; none, if one of these is a folder."""
    for _, target in moves:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "Is a directory", str(target))
    for draft, target in moves:
        draft.replace(target)


def _without_folder(message: str, folder: Path) -> str:
    return message.replace(f"{folder.name}{os.sep}", "")


@contextlib.contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Raises TensorFlow's errors of writing as `OSError`, of this place.

    Raises:
        OSError: If the block can't write.
    """
    import tensorflow as tf

    full = (tf.errors.ResourceExhaustedError, tf.errors.OutOfRangeError)
    try:
        yield
    except tf.errors.OpError as error:
        code, reason = errno.EIO, error.message
        if "File too large" in error.message:
            code, reason = errno.EFBIG, os.strerror(errno.EFBIG)
        elif isinstance(error, full):
            code, reason = errno.ENOSPC, os.strerror(errno.ENOSPC)
        raise OSError(code, reason, str(place)) from error
