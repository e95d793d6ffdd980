"""Which series of a folder that holds several is meant: `FOLDER#N`, or `--series`."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

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
