"""Errors of writing, whoever raises them, as one kind that names what is written."""

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from dlir_tf.errors import WriteError


@contextlib.contextmanager
def write_errors(place: Path, drafts: Path | None = None) -> Iterator[None]:
    """Raises what the operating system refuses to write as an error of `place`.

    An error that names another file, such as one that is read meanwhile, stays.

    Args:
        place: What the user knows to be written.
        drafts: The folder where it lies until it's finished.

    Raises:
        WriteError: If the block can't write.
    """
    own = (place, drafts or place)
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        named = error.filename
        if error.errno is None or not (named is None or _is_in(own, named)):
            raise
        raise WriteError(place, error) from error


@contextlib.contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """Raises TensorFlow's errors as errors of writing `place`.

    It is for blocks in which TensorFlow does nothing but write.

    Raises:
        WriteError: If the block can't write.
    """
    import tensorflow as tf

    full = (tf.errors.ResourceExhaustedError, tf.errors.OutOfRangeError)
    try:
        with write_errors(place):
            yield
    except tf.errors.OpError as error:
        code, reason = errno.EIO, error.message
        if "File too large" in error.message:
            code, reason = errno.EFBIG, os.strerror(errno.EFBIG)
        elif isinstance(error, full):
            code, reason = errno.ENOSPC, os.strerror(errno.ENOSPC)
        raise WriteError(place, OSError(code, reason)) from error


def reserve(path: Path, num_bytes: int) -> None:
    """Fails now if the disk has no room for a file that is about to be written.

    HDF5 takes the process down, at once or when it ends, if the disk fills up while it
    writes. A file that is surely as large fails as any file does; HDF5 then writes over
    it. It is random because some file systems have room for any number of zeros.

    Raises:
        OSError: If there is no room.
    """
    with path.open("wb") as stream:
        stream.write(os.urandom(num_bytes))
        stream.flush()
        os.fsync(stream.fileno())


def go_on_writing(folder: Path) -> None:
    """Fails as the system does where others stopped writing and don't say why.

    Args:
        folder: With what they have written, which is of no use any more.

    Raises:
        OSError: If the disk has no room for more of a file there.
    """
    for path in filter(Path.is_file, folder.iterdir()):
        with path.open("ab") as stream:
            stream.write(os.urandom(2**16))
            stream.flush()
            os.fsync(stream.fileno())


def _is_in(places: tuple[Path, ...], name: object) -> bool:
    """Whether a name that an error gives is a place, or of something within."""
    if not isinstance(name, str | os.PathLike):
        return False
    return any(Path(name) == p or p in Path(name).parents for p in places)
