"""The files of one pair in a folder, found by their names."""

from collections.abc import Mapping
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.images.formats import WRITABLE_SUFFIXES
from dlir_tf.transforms.files.ants import is_ants_name
from dlir_tf.transforms.files.dispatch import READABLE_SUFFIXES

_POINTS = (".csv", ".mrk.json", ".fcsv")
# What a file is called, but for its ending, and which endings it may have.
ENDINGS: Mapping[str, tuple[str, ...]] = {
    "fixed": WRITABLE_SUFFIXES,
    "moving": WRITABLE_SUFFIXES,
    "moved": WRITABLE_SUFFIXES,
    "fixed_labels": WRITABLE_SUFFIXES,
    "moving_labels": WRITABLE_SUFFIXES,
    "transform": READABLE_SUFFIXES,
    "displacement": READABLE_SUFFIXES,
    "fixed_points": _POINTS,
    "moving_points": _POINTS,
    "report": (".json",),
}


def files_in(folder: Path) -> dict[str, Path]:
    """Finds a pair's files by their names.

    Args:
        folder: Where they lie.

    Returns:
        By what they are; what isn't there isn't in it.

    Raises:
        InputError: If it's no folder, or two files have one name but for the ending.
    """
    if not folder.is_dir():
        raise InputError(
            f"{folder}: is no folder; give the folder of a pair, or --fixed, --moving "
            "and --transform"
        )
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        for name, endings in ENDINGS.items():
            if path.name.removeprefix(name) not in endings or path.is_dir():
                continue
            if not path.name.startswith(name):
                continue
            if name in found and is_ants_name(path) and is_ants_name(found[name]):
                continue  # a pair of files, which either name stands for
            if name in found:
                raise InputError(
                    f"{folder}: holds both {found[name].name} and {path.name}; say "
                    "which one is meant by the option of that name"
                )
            found[name] = path
    return found
