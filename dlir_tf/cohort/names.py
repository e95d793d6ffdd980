"""What a pair is called, and its folder: by its id, or else by its files."""

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from dlir_tf.pairs.manifest import Pair

# Of a folder's name; file systems take 255 bytes, and files in it are drafted longer.
_MOST_BYTES = 120
_UNSAFE = re.compile(r"[^\w.+-]+")
# Names that Windows keeps for devices, and those of files beside the pairs' folders.
_TAKEN = {
    *("con", "prn", "aux", "nul", "summary.csv", "index.html", "cohort.json"),
    *(f"{port}{number}" for port in ("com", "lpt") for number in range(10)),
}
_SUFFIXES = re.compile(r"\.(nii|gz|mha|mhd|nrrd|nhdr|hdr|img|dcm|tiff?|png)$", re.I)
_DEEPEST = 4


def pair_ids(pairs: Sequence[Pair]) -> list[str]:
    """What every pair is called: its id or, without one, `MOVING_to_FIXED`.

    Where files of several pairs are called alike, their folders' names come in front,
    as many as tell them apart.

    Args:
        pairs: Of one manifest.

    Returns:
        A name for each, in their order. Only pairs of the same files, or of the same
        id, have the same one.
    """
    names = [pair.id or _by_files(pair, 1) for pair in pairs]
    for depth in range(2, _DEEPEST + 1):
        counts = _claims(pairs, names, str.casefold)
        names = [
            _by_files(pair, depth)
            if pair.id is None and counts[name.casefold()] > 1
            else name
            for pair, name in zip(pairs, names, strict=True)
        ]
    return names


def folder_names(pairs: Sequence[Pair], ids: Sequence[str]) -> list[str]:
    """A folder's name for every pair, safe on every system; no two are the same.

    A name is the pair's id where that will do. Else it is made safe, and a few digits
    follow that only this pair has; they are the same in every run.

    Args:
        pairs: Of one manifest.
        ids: From `pair_ids`.
    """
    counts = _claims(pairs, ids, _folded)
    names: list[str] = []
    for pair, given in zip(pairs, ids, strict=True):
        name = _safe(given)
        if name != given or counts[_folded(given)] > 1:
            name = f"{name}-{digits_of(given, pair)}"
        names.append(name)
    return _numbered(names)


def _claims(
    pairs: Sequence[Pair], names: Sequence[str], fold: Callable[[str], str]
) -> Counter[str]:
    """How many pairs want a name; the same pair, listed twice, counts once."""
    wanted = {
        (fold(name), name, pair.fixed, pair.moving)
        for pair, name in zip(pairs, names, strict=True)
    }
    return Counter(one[0] for one in wanted)


def _by_files(pair: Pair, depth: int) -> str:
    return f"{_name_of(pair.moving, depth)}_to_{_name_of(pair.fixed, depth)}"


def _name_of(path: Path, depth: int) -> str:
    """A file's name without its suffix, behind those of folders that it's in."""
    folders = Path(os.path.abspath(path)).parts[1:-1]
    above = folders[max(0, len(folders) + 1 - depth) :]
    name = path.name.replace("#", "-")  # before the number of a DICOM series
    while (shorter := _SUFFIXES.sub("", name)) != name and shorter:
        name = shorter
    return "-".join([*above, name])


def _safe(name: str) -> str:
    """A name without what folders' names can't have, or what hides them."""
    safe = _UNSAFE.sub("_", unicodedata.normalize("NFC", name)).strip("._- ")
    safe = safe.encode()[:_MOST_BYTES].decode(errors="ignore") or "pair"
    taken = {safe.casefold(), safe.casefold().partition(".")[0]} & _TAKEN
    return f"{safe}_" if taken else safe


def _folded(name: str) -> str:
    """What names have in common that a file system may take for the same."""
    return _safe(name).casefold()


def digits_of(given: str, pair: Pair) -> str:
    """Some digits that only this pair has, and has in every run.

    Args:
        given: What it's called.
        pair: Its files.
    """
    told = "\0".join([given, *(os.path.abspath(file) for file in pair.files)])
    return hashlib.sha256(told.encode()).hexdigest()[:8]


def _numbered(names: list[str]) -> list[str]:
    """The same names; of pairs that are the same in all, later ones have a number."""
    seen: Counter[str] = Counter()
    numbered = []
    for name in names:
        key = name.casefold()
        seen[key] += 1
        numbered.append(name if seen[key] == 1 else f"{name}-{seen[key]}")
    return numbered
