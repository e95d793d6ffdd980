"""The versioned folder that TensorFlow Serving watches: `OUTPUT/NAME/VERSION`."""

import contextlib
import os
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from dlir_tf.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def check_version_folder(output: Path, name: str, version: int) -> Path:
    """Returns the folder of a version that isn't there yet.

    Args:
        output: The folder of all exported models; made when it's needed.
        name: The model's name for the server.
        version: From 1; a server takes the highest one that it finds.

    Raises:
        InputError: If the name isn't one of a folder, the version is taken, or
            nothing can be written there.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            "--name: must be letters, digits, `_`, `.` and `-`, and not start with "
            f"`.` or `-`. Received: {name!r}"
        )
    home = Path(output) / name
    existing = next(path for path in (home, *home.parents) if path.exists())
    if not existing.is_dir():
        raise InputError(f"{existing}: is a file; choose another folder by --output")
    taken = _versions(home)
    if version in taken:
        raise InputError(
            f"{home / str(version)}: this version is there already; the next free one "
            f"is --version {max(taken) + 1}"
        )
    if not os.access(existing, os.W_OK):
        raise InputError(f"{existing}: can't be written; choose another --output")
    return home / str(version)


@contextlib.contextmanager
def new_version(output: Path, name: str, version: int) -> Iterator[Path]:
    """Gives a new folder beside the version's, which takes its name at the end.

    If the block fails, the new folder goes, and so do the folders above it that
    were made for it: a server never sees a version that isn't whole and checked.

    Args:
        output: As for `check_version_folder`, like the other two.
        name: The model's name for the server.
        version: A version that isn't there yet.
    """
    target = check_version_folder(output, name, version)
    # A server takes no notice of folders whose name isn't a number.
    unfinished = target.parent / f".{version}-{secrets.token_hex(4)}"
    missing = [path for path in (unfinished, *unfinished.parents) if not path.exists()]
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        unfinished.rename(target)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        for folder in missing:
            # Another process may use it by now.
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _versions(home: Path) -> set[int]:
    """The versions that a server finds in a model's folder."""
    if not home.is_dir():
        return set()
    names = (path.name for path in home.iterdir())
    return {int(name) for name in names if re.fullmatch(r"[0-9]+", name)}
