"""Whether something may be written, asked before any work is done."""

import os
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.files.disk import write_errors
from dlir_tf.files.places import real_place, what_is_in_the_way


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
        InputError: If its name ends otherwise, it's a folder, a pipe or the like or
            (if it's to be new) there, or its folder isn't there or can't be written;
            of a link, the folder that it leads to.
    """
    folder, wrong = real_place(path).parent, what_is_in_the_way(path)
    its = f"it's a link, and {folder}" if path.is_symlink() else "its folder"
    if suffixes and not path.name.endswith(suffixes):
        expected = " or ".join(filter(None, [", ".join(suffixes[:-1]), suffixes[-1]]))
        problem = f"expected a name that ends in {expected}{note}"
    elif path.is_dir():
        problem = "is a folder; add the name of a file"
    elif new and path.exists():
        problem = "is there already; choose another name, or delete it"
    elif wrong:
        problem = f"{wrong}; choose the name of a plain file"
    elif not folder.is_dir():
        problem = f"{its} doesn't exist; make it first"
    elif not os.access(folder, os.W_OK | os.X_OK):
        problem = f"{its} can't be written; choose another one"
    else:
        return
    raise InputError(problem, place=path)


def check_folder(folder: Path) -> None:
    """Refuses a folder that can neither be written nor made.

    Raises:
        InputError: If it, or the nearest one above it that is there, is a file, a link
            that leads nowhere, or can't be written.
    """
    above = (folder, *folder.parents)
    nearest = next(path for path in above if path.exists() or path.is_symlink())
    about = "" if nearest == folder else f"{nearest} "
    if not nearest.exists():
        problem = f"{about}is a link that leads nowhere; choose another --output"
    elif not nearest.is_dir():
        problem = f"{about}is a file; choose another --output"
    elif not os.access(nearest, os.W_OK | os.X_OK):
        problem = f"{about}can't be written; choose another --output"
    else:
        return
    raise InputError(problem, place=folder)


def check_new_folder(folder: Path) -> None:
    """Refuses a folder that has something in it, or can neither be written nor made.

    Raises:
        InputError: If it is one.
    """
    check_folder(folder)
    if folder.is_dir() and any(folder.iterdir()):
        raise InputError(
            "is in use already; remove it or choose another --output", place=folder
        )


def make_folder(folder: Path) -> None:
    """Makes a folder, and those above it, where they aren't there yet.

    Raises:
        WriteError: If the disk or the rights don't allow it.
    """
    with write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
