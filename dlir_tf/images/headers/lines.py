"""Reading what headers state in text: numbers within bounds, and no more than fits."""

import re
from pathlib import Path

from dlir_tf.images.headers.refusal import unreadable

MOST_AXES = 5  # more, SimpleITK can't read
_LARGEST_SIZE = (1 << 31) - 1
_LARGEST_NUMBER = 1e12
_WHOLE = re.compile(r"[+-]?\d{1,18}")
_REAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")


def whole_numbers(path: Path, key: str, text: str, count: int) -> list[int]:
    """So many whole numbers, between blanks.

    Raises:
        InputError: If there are more, fewer or others.
    """
    words = text.split()
    if len(words) != count or not all(_WHOLE.fullmatch(word) for word in words):
        raise unreadable(
            path, f"{key} must be {count} whole numbers, but is {_shown(text)}"
        )
    return [int(word) for word in words]


def sizes(path: Path, key: str, text: str, count: int) -> list[int]:
    """So many sizes of axes.

    Raises:
        InputError: If there are more or fewer, or one isn't positive.
    """
    numbers = whole_numbers(path, key, text, count)
    if not all(1 <= number <= _LARGEST_SIZE for number in numbers):
        raise unreadable(path, f"{key} must be sizes of axes, but is {_shown(text)}")
    return numbers


def check_reals(
    path: Path, key: str, text: str, count: int, *, positive: bool = False
) -> None:
    """Whether a text is so many real numbers, of a size that places in mm have.

    Raises:
        InputError: If there are more, fewer or others.
    """
    words = text.split()
    fits = len(words) == count and all(_REAL.fullmatch(word) for word in words)
    numbers = [float(word) for word in words] if fits else []
    fits &= all(abs(number) <= _LARGEST_NUMBER for number in numbers)
    if not fits or (positive and min(numbers) <= 0):
        kind = "positive numbers" if positive else "finite numbers"
        raise unreadable(path, f"{key} must be {count} {kind}, but is {_shown(text)}")


def one_letter_off(name: str, known: list[str]) -> str:
    """The known name that is this one but for its case or one letter; or nothing."""
    for other in known:
        if len(other) != len(name):
            continue
        apart = sum(a != b for a, b in zip(name, other, strict=True))
        if apart == 1 or name.lower() == other.lower():
            return other
    return ""


def _shown(text: str) -> str:
    return repr(text if len(text) < 60 else f"{text[:60]}...")
