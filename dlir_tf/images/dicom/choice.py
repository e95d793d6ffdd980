"""Which series of a folder that holds several is meant: `FOLDER#N`, or `--series`."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from dlir_tf.errors import InputError

# What blocks have chosen; of the whole process, since images are read by threads.
_chosen: list[str] = []


@contextlib.contextmanager
def series_chosen(choice: str) -> Iterator[None]:
    """Chooses the series of every folder that is read within the block.

    Args:
        choice: The number by which a series is listed, or its UID. A folder that is
            named with a choice of its own, `FOLDER#N`, keeps to that.
    """
    _chosen.append(choice)
    try:
        yield
    finally:
        _chosen.remove(choice)


def chosen_series() -> str:
    """What is chosen for all folders now; empty if nothing is."""
    return _chosen[-1] if _chosen else ""


def check_choice(paths: Iterable[Path | None]) -> None:
    """Refuses a choice for all folders where none is read that it could count for.

    Args:
        paths: Of all images that will be read. One that isn't there is left to its
            reader, who says so.

    Raises:
        InputError: If something is chosen, and none of them is a folder without a
            choice of its own.
    """
    choice = chosen_series()
    if choice and not any(path is not None and _needs_choice(path) for path in paths):
        raise InputError(
            f"--series {choice}: is for folders of DICOM files, of which none is given "
            "without a choice of its own (FOLDER#N); leave it out"
        )


def _needs_choice(path: Path) -> bool:
    return path.is_dir() or not (path.exists() or names_a_series(path))


def split_choice(path: Path) -> tuple[Path, str]:
    """The folder, and the series in it that is meant; empty if none was chosen.

    Args:
        path: A folder, or `FOLDER#N`. Whatever is there by its whole name is that.
    """
    if not os.path.lexists(path) and "#" in path.name:
        name, _, choice = path.name.rpartition("#")
        if name and choice and path.with_name(name).is_dir():
            return path.with_name(name), choice
    return path, chosen_series()


def names_a_series(path: Path) -> bool:
    """Whether a path is that of a folder with the series in it that is meant."""
    return split_choice(path)[0] != path
