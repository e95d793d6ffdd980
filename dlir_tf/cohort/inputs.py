"""Whether the files of a pair are those that it was registered from."""

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.images import split_choice
from dlir_tf.pairs.manifest import Pair

ROLES = (
    *("fixed", "moving", "fixed_labels", "moving_labels"),
    *("fixed_points", "moving_points", "fixed_mask", "moving_mask"),
)
_HEADERS = (".mhd", ".nhdr", ".hdr")
_VOXELS = re.compile(
    rb"^(?:ElementDataFile *=|data ?file *:) *(\S[^\r\n]*)", re.I | re.M
)


@dataclass(frozen=True)
class Print:
    """By what a file is known again.

    Attributes:
        path: Where it is, absolute.
        look: Size, times and number of it and of what lies beside it, as the file
            system tells them: a file that looks the same is the same.
        sha256: Of what is in it; empty if that wasn't asked for.
    """

    path: str
    look: tuple[int, ...]
    sha256: str = ""


def looks(pair: Pair) -> dict[str, Print]:
    """What all files of a pair look like, by their role; nothing of them is read.

    Raises:
        InputError: If one isn't there.
    """
    return {
        role: Print(os.path.abspath(path), _look(path))
        for role in ROLES
        if (path := getattr(pair, role)) is not None
    }


def prints(pair: Pair) -> dict[str, Print]:
    """The same, with digests.

    Raises:
        InputError: If one can't be read.
    """
    seen = looks(pair)  # before they are read: a file that changes then looks older
    return {
        role: Print(one.path, one.look, digest([getattr(pair, role)]))
        for role, one in seen.items()
    }


def digest(paths: Iterable[Path]) -> str:
    """The SHA-256 of what is in files, and in those that lie beside headers.

    Raises:
        InputError: If one can't be read.
    """
    total = hashlib.sha256()
    for path in paths:
        folder = split_choice(path)[0]
        total.update(path.name.removeprefix(folder.name).encode())
        for each in _with_voxels(path):
            try:
                with each.open("rb") as stream:
                    total.update(hashlib.file_digest(stream, "sha256").digest())
            except OSError as error:
                raise InputError(
                    f"can't be read: {error.strerror}", place=each
                ) from error
    return total.hexdigest()


def _look(path: Path) -> tuple[int, ...]:
    found: list[int] = []
    for each in _with_voxels(path):
        try:
            known = each.stat()
        except OSError as error:
            raise InputError(f"can't be read: {error.strerror}", place=each) from error
        found += [known.st_size, known.st_mtime_ns, known.st_ctime_ns, known.st_ino]
    return tuple(found)


def _with_voxels(path: Path) -> list[Path]:
    """The file, and those that hold the voxels of a header; those of a folder."""
    path = split_choice(path)[0]
    if path.is_dir():
        return sorted(each for each in path.rglob("*") if each.is_file())
    if path.suffix.lower() not in _HEADERS:
        return [path]
    beside = {path.with_suffix(end) for end in (".img", ".img.gz")}
    try:
        with path.open("rb") as stream:
            named = _VOXELS.search(stream.read(1 << 16))
    except OSError:
        named = None  # whoever reads it says so
    if named:
        beside.add(path.parent / os.fsdecode(named[1].strip()))
    return [path, *sorted(each for each in beside if each.is_file())]
