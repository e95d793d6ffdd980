"""Errors that a person can do something about."""

import errno
import os
from collections.abc import Sequence
from typing import SupportsInt

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_FOLDER = (errno.ENOENT, errno.ENOTDIR)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


class InputError(ValueError):
    """A file, an option or a value that can't be used as it is.

    The message is one sentence for the person who gave it: where, what was
    expected, what came, and how to mend it. The command line prints it without
    a traceback and exits with code 1.

    Args:
        problem: The sentence.
        place: Where, such as a file or a line of it, if that isn't in the sentence.

    Attributes:
        problem: As given.
        place: As given.
    """

    def __init__(self, problem: str, *, place: object = None) -> None:
        super().__init__(problem if place is None else f"{place}: {problem}")
        self.problem = problem
        self.place = place

    def at(self, place: object) -> "InputError":
        """The same problem, at a place by which the user knows it better."""
        return InputError(self.problem, place=place)

    def within(self, place: object) -> "InputError":
        """The same error, told as one of a larger place that holds its own."""
        return InputError(str(self), place=place)


def counted(number: SupportsInt, one: str, many: str) -> str:
    """A number and what it counts.

    Args:
        number: How many there are.
        one: What is said of one.
        many: What is said of none, and of several.

    Example:

    >>> counted(1, "voxel is", "voxels are"), counted(3, "voxel is", "voxels are")
    ('1 voxel is', '3 voxels are')
    """
    return f"{number} {one if number == 1 else many}"


# Of faults of one kind that are named, such as lines of a manifest.
MOST_NAMED = 10


def first_few(problems: Sequence[str], place: object = None) -> str:
    """What to say of many problems: the first ones, a line each, and how many more.

    Args:
        problems: A sentence each.
        place: Where all of them are, if the sentences begin with it.

    Example:

    >>> print(first_few([f"p.csv, line {n}: is empty" for n in range(2, 14)], "p.csv"))
    ... # doctest: +ELLIPSIS
    p.csv, line 2: is empty
    ...
    p.csv, line 11: is empty
    p.csv: and 2 more like these
    """
    lines = list(problems[:MOST_NAMED])
    if more := len(problems) - len(lines):
        lines.append(
            f"{'' if place is None else f'{place}: '}and {more} more like these"
        )
    return "\n".join(lines)


# What is to be done about a fault that only we can mend.
REPORT_IT = (
    "nothing in the model or the options does that, so please report it, with the "
    "model's config and the version of TensorFlow"
)


class ExportError(RuntimeError):
    """A model can't be exported, or the export isn't the model that it was made from.

    The message is one sentence, which says what to do about it.
    """


class WriteError(InputError, OSError):
    """A file or a folder that the disk, or its rights, don't let be written.

    Args:
        place: What was to be written.
        error: What the operating system said.
    """

    def __init__(self, place: str | os.PathLike[str], error: OSError) -> None:
        super().__init__(_why_not_written(error), place=place)
        self.errno, self.strerror = error.errno, error.strerror
        self.filename = os.fspath(place)

    def __str__(self) -> str:
        return f"{self.place}: {self.problem}"

    def at(self, place: object) -> "WriteError":
        """The same problem, of a file that the user knows better."""
        return WriteError(str(place), self)


def is_full(error: OSError) -> bool:
    """Whether the disk, or what a user may have of it, is full."""
    return error.errno in _FULL


def describe(error: OSError) -> str:
    """What to say of an error that the operating system raised, not by writing."""
    place = f"{error.filename}: " if error.filename else ""
    if error.errno in _FULL:
        # All that are written have names, but for what is printed.
        return (place or "what this command prints ") + _why_not_written(error)
    if error.errno in _FORBIDDEN:
        return (
            f"{place}can't be read: {error.strerror}; ask for the right to read it, "
            "or copy it to a folder of your own"
        )
    return f"{place}{error.strerror or error}"


def _why_not_written(error: OSError) -> str:
    if error.errno in _FULL:
        why = (
            ": the disk is full; make room and try again, the files that are there are "
            "whole"
        )
    elif error.errno in _NO_FOLDER:
        why = ": its folder doesn't exist; make it first"
    elif error.errno == errno.EISDIR:
        why = ": it is a folder; choose another name"
    elif error.errno in _FORBIDDEN:
        why = "; choose another folder"
    else:
        why = "; choose a folder that exists, is writable and has space"
    return f"can't be written ({error.strerror or error}){why}"
