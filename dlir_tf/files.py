"""Writing files so that they are there whole or not at all."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from dlir_tf.errors import InputError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Gives the name of a new file beside `path`, which takes its place at the end.

    If the block fails, the new file goes and an old one at `path` stays as it was.
    The new file's name ends like that of `path`, for writers that look at it. What
    the disk refuses is raised as an `OSError` of `path`.

    Example:

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing(Path(folder) / "a.txt") as unfinished:
    ...         _ = unfinished.write_text("whole")
    ...     (Path(folder) / "a.txt").read_text()
    'whole'
    """
    path = Path(path)
    try:
        handle, name = tempfile.mkstemp(
            prefix=f".{path.name.split('.')[0]}-",
            suffix="".join(path.suffixes),
            dir=path.parent,
        )
    except OSError as error:
        raise _naming(path, error) from error
    os.close(handle)
    unfinished = Path(name)
    try:
        yield unfinished
        # mkstemp makes private files; a result is as readable as any other file.
        umask = os.umask(0)
        os.umask(umask)
        unfinished.chmod(0o666 & ~umask)
        unfinished.replace(path)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(unfinished)):
            raise
        raise _naming(path, error) from error
    finally:
        unfinished.unlink(missing_ok=True)


def _naming(path: Path, error: OSError) -> OSError:
    """The same error, of the file that the user knows instead of its draft."""
    return OSError(error.errno, error.strerror, str(path))


def write_together(writers: Mapping[Path, Callable[[Path], None]]) -> None:
    """Writes several files: all of them or, if one fails, none.

    Args:
        writers: For every file, what writes it to the path that it is called with.

    Raises:
        InputError: If a writer raises it; the message names the file.
    """
    with contextlib.ExitStack() as drafts:
        for path, write in writers.items():
            unfinished = drafts.enter_context(replacing(path))
            try:
                write(unfinished)
            except InputError as error:
                message = str(error).replace(str(unfinished), str(path))
                raise InputError(message) from error
