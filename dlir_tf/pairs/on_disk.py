"""What a path in a manifest stands for: a file, or the folder of a DICOM series."""

import hashlib
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.images import names_a_series


def is_there(path: Path) -> bool:
    """Whether there is such a file, or such a folder, with `#` and a series or not."""
    return path.is_file() or path.is_dir() or names_a_series(path)


def digest_of(path: Path, place: str) -> bytes:
    """SHA-256 of the contents of a file, or of those of all files in a folder.

    In a folder the order of the files' contents counts by itself, not by their names. A
    series that was chosen is part of it.

    Args:
        path: The file or folder.
        place: Manifest and line, for messages.

    Raises:
        InputError: If a file can't be read.
    """
    folder = path
    if names_a_series(path):
        folder = path.with_name(path.name.rpartition("#")[0])
    try:
        if not folder.is_dir():
            return _digest(path)
        inside = sorted(_digest(file) for file in folder.iterdir() if file.is_file())
    except OSError as error:
        raise InputError(f"{place}: {path} can't be read: {error.strerror}") from error
    choice = path.name.removeprefix(folder.name)
    return hashlib.sha256(b"".join([*inside, choice.encode()])).digest()


def _digest(file: Path) -> bytes:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").digest()
