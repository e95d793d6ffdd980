"""The header of a NRRD file: lines of text, `field: value` and `key:=value`.

Format: https://teem.sourceforge.net/nrrd/format.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dlir_tf.images.headers.refusal import unreadable

_LONGEST_HEADER = 1 << 20  # bytes; Slicer's segmentations have some ten thousand


@dataclass(frozen=True)
class NrrdHeader:
    """The lines of a header.

    Attributes:
        fields: What the format defines, by names without blanks, written small.
        keys: What programs add, by their own names.
        start: Where the voxels begin that are in the same file.
    """

    fields: Mapping[str, str]
    keys: Mapping[str, str]
    start: int


def read_nrrd_header(path: Path) -> NrrdHeader:
    """Reads the header of a `.nrrd` or `.nhdr` file.

    Raises:
        InputError: If it isn't one, or says the same thing twice.
    """
    with path.open("rb") as stream:
        lines = [stream.readline(_LONGEST_HEADER)]
        if not lines[0].startswith(b"NRRD000"):
            raise unreadable(path, "its first line isn't that of a NRRD file")
        while lines[-1].strip(b"\r\n"):
            lines.append(stream.readline(_LONGEST_HEADER))
            if stream.tell() > _LONGEST_HEADER:
                raise unreadable(path, "its header doesn't end")
        start = stream.tell()
    try:
        texts = [line.decode("utf-8").strip("\r\n") for line in lines[1:-1]]
    except UnicodeDecodeError as error:
        raise unreadable(path, f"its header isn't text in UTF-8, {error}") from error
    fields: dict[str, str] = {}
    keys: dict[str, str] = {}
    for text in texts:
        if text.startswith("#"):
            continue
        name, colon, value = text.partition(":")
        is_key = value.startswith("=")
        known, name = (keys, name) if is_key else (fields, _small(name))
        if not colon or name in known:
            what = "comes twice" if colon else "is neither a field nor a key"
            raise unreadable(path, f"the line {text[:60]!r} of its header {what}")
        known[name] = value[1:] if is_key else value.strip()
    return NrrdHeader(fields, keys, start)


def _small(name: str) -> str:
    """Names of fields may be written with blanks or without."""
    return name.replace(" ", "").lower()
