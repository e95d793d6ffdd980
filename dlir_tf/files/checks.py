"""Whether something may be written, asked before any work is done."""

import os
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.files.disk import write_errors


def check_output(
    path: Path, suffixes: tuple[str, ...] = (), *, new: bool = False, note: str = ""
) -> None:
    """Refuses an output file that can't be written.

    Args:
        path: The file.
        suffixes: What its name must end with, one of them; none for any name.
        new: Whether it mustn't be there yet.
        note: What is said behind the suffixes.

    Raises:
        InputError: If its name ends otherwise, it's a folder or (if it's to be new)
            there, or its folder isn't there or can't be written.
    """
    if suffixes and not path.name.endswith(suffixes):
        expected = " or ".join(filter(None, [", ".join(suffixes[:-1]), suffixes[-1]]))
        problem = f"expected a name that ends in {expected}{note}"
    elif path.is_dir():
        problem = "is a folder; add the name of a file"
    elif new and path.exists():
        problem = "is there already; choose another name, or delete it"
    elif not path.parent.is_dir():
        problem = "its folder doesn't exist; make it first"
    elif not os.access(path.parent, os.W_OK | os.X_OK):
        problem = "its folder can't be written; choose another one"
    else:
        return
    raise InputError(problem, place=path)


def check_folder(folder: Path) -> None:
    """Refuses a folder that can neither be written nor made.

    Raises:
        InputError: If it, or the nearest one above it that is there, is a file or
            can't be written.
    """
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    about = "" if nearest == folder else f"{nearest} "
    if not nearest.is_dir():
        problem = f"{about}is a file; choose another --output"
    elif not os.access(nearest, os.W_OK | os.X_OK):
        problem = f"{about}can't be written; choose another --output"
    else:
        return
    raise InputError(problem, place=folder)


def make_folder(folder: Path) -> None:
    """Makes a folder, and those above it, where they aren't there yet.

    Raises:
        WriteError: If the disk or the rights don't allow it.
    """
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
