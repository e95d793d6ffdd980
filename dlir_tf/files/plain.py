"""What can be read to its end: plain files, no pipes, devices or sockets.

A pipe makes a program wait for ever that opens it, and a device may have no end.
"""

import os
import stat
from pathlib import Path

from dlir_tf.errors import InputError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def what_is_wrong(path: Path) -> str:
    """Why a path is no plain file; empty if it is one.

    A link counts as what it leads to.
    """
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except FileNotFoundError:
        return "is a link to nothing" if path.is_symlink() else "doesn't exist"
    except (OSError, ValueError) as error:  # a loop of links, a name with a zero byte
        return f"can't be looked at ({getattr(error, 'strerror', None) or error})"
    if kind in (stat.S_IFREG, stat.S_IFDIR) and not os.access(path, os.R_OK):
        return "may not be read by this user"
    if kind == stat.S_IFREG:
        return ""
    return f"is {_KINDS.get(kind, 'something else')}"


def check_plain(path: Path, cure: str) -> None:
    """Refuses what isn't a plain file that can be read.

    Args:
        path: What was given.
        cure: What to give instead.

    Raises:
        InputError: If it isn't one.
    """
    wrong = what_is_wrong(path)
    if wrong in ("doesn't exist", "is a folder"):
        raise InputError(f"no such file: {path}; {cure}")
    if wrong:
        raise InputError(f"{path}: must be a readable file, but {wrong}; {cure}")
