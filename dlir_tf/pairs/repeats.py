"""Words about what comes twice where two things are meant: slips of copying, mostly.

They are no errors: a pair of one image shows what a registration does to it, and a pair
that is listed twice counts twice in a training.
"""

import os
import warnings
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol

from dlir_tf.errors import counted

# Of the places in a manifest that a warning names.
_MOST_NAMED = 3


class Listed(Protocol):
    """A pair of a manifest, which also has its other files as attributes."""

    @property
    def fixed(self) -> Path:
        """The fixed image."""

    @property
    def moving(self) -> Path:
        """The moving image."""

    @property
    def place(self) -> str:
        """Manifest and line."""


def warn_of_one_image(fixed: Path, moving: Path) -> None:
    """Warns if both images of a pair are one file, by whatever name."""
    if _file(fixed) == _file(moving):
        also = "" if fixed == moving else f" {moving} is the same file;"
        warnings.warn(
            f"{fixed}: is both the fixed and the moving image;{also} a registration of "
            "an image to itself says nothing, so check that these two were meant",
            stacklevel=2,
        )


def warn_of_repeats(path: Path, pairs: Sequence[Listed]) -> None:
    """Warns of pairs of one image, and of pairs that are listed before.

    Args:
        path: Of the manifest.
        pairs: Those that it lists.
    """
    file = cache(_file)
    alone = [pair.place for pair in pairs if file(pair.fixed) == file(pair.moving)]
    if alone:
        warnings.warn(
            f"{path}: in {_pairs(alone, path)}, the fixed and the moving image are the "
            "same file; its registration to itself says nothing",
            stacklevel=3,
        )
    again = _listed_before(pairs, file)
    if again:
        warnings.warn(
            f"{path}: {_pairs(again, path)} came before with the same files; what is "
            "listed twice counts twice",
            stacklevel=3,
        )


def _listed_before(pairs: Sequence[Listed], file: Callable[[Path], str]) -> list[str]:
    """The places of pairs all of whose files are another's, too."""
    seen: set[tuple[object, ...]] = set()
    again = []
    for pair in pairs:
        files = tuple(
            file(value) if isinstance(value, Path) else None
            for value in vars(pair).values()
        )
        if files in seen:
            again.append(pair.place)
        seen.add(files)
    return again


def _pairs(places: Sequence[str], path: Path) -> str:
    """How many, and where in the manifest."""
    short = [place.removeprefix(f"{path}, ") for place in places[:_MOST_NAMED]]
    more = len(places) - len(short)
    named = ", ".join(short) + f" and {more} more" * bool(more)
    return f"{counted(len(places), 'pair', 'pairs')} ({named})"


def _file(path: Path) -> str:
    return os.path.realpath(path)
