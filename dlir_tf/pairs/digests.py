"""What pairs hold, as numbers by which it's known again."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from dlir_tf.pairs.manifest import MASK_COLUMNS, Pair
from dlir_tf.pairs.on_disk import digest_of


def data_digest(
    pairs: Iterable[Pair], known: Mapping[Path, bytes] | None = None
) -> str:
    """Makes one number of what pairs hold; it tells whether a training's data changed.

    It is the SHA-256 of the contents of all files, in the order of the pairs. What the
    files are called doesn't count, nor where they lie. Which of them are masks does:
    the same file as labels gives another number.

    Args:
        pairs: From `read_manifest`, say.
        known: The digests of files that need not be read again, from `file_digests`.

    Returns:
        64 hexadecimal digits.

    Raises:
        InputError: If a file can't be read.
    """
    total = hashlib.sha256()
    digests = dict(known or {})
    for pair in pairs:
        for file in pair.files:
            if file not in digests:
                digests[file] = digest_of(file, pair.place)
            total.update(digests[file])
        # Only masks are named: digests of pairs without any stay what they were.
        masks = [name for name in MASK_COLUMNS if getattr(pair, name)]
        total.update(",".join(masks).encode())
    return total.hexdigest()


def file_digests(pairs: Sequence[Pair], own: Callable[[int], range]) -> list[str]:
    """Reads a part of the files of pairs; makes a number of each, for `data_digest`.

    Args:
        pairs: The pairs.
        own: Takes how many files there are, tells which of `distinct_files` to read.

    Returns:
        64 hexadecimal digits for each of those.

    Raises:
        InputError: If a file can't be read.
    """
    files = distinct_files(pairs)
    chosen = [list(files.items())[index] for index in own(len(files))]
    return [digest_of(file, place).hex() for file, place in chosen]


def distinct_files(pairs: Iterable[Pair]) -> dict[Path, str]:
    """Returns the files of pairs, each once, and where it is first named."""
    files: dict[Path, str] = {}
    for pair in pairs:
        for file in pair.files:
            files.setdefault(file, pair.place)
    return files
