"""The header of a MetaImage, and whether the voxels it claims are there.

Lines `Key = value`, the last of them `ElementDataFile`, and then, if that is `LOCAL`,
the voxels. MetaIO, which reads them for ITK, takes what it finds: a number of axes out
of range or a pattern for `printf` in place of a name end the process.

Format: https://github.com/Kitware/MetaIO
"""

import math
from pathlib import Path

from dlir_tf.images.headers.beside import file_beside
from dlir_tf.images.headers.lines import (
    MOST_AXES,
    check_reals,
    one_letter_off,
    sizes,
    whole_numbers,
)
from dlir_tf.images.headers.refusal import unreadable
from dlir_tf.images.headers.voxels import check_raw, check_text, check_zlib

_LONGEST_HEADER, _LONGEST_LINE = 1 << 16, 2000  # bytes
_LAST = "ElementDataFile"
_BYTES = {
    "CHAR": 1, "UCHAR": 1, "SHORT": 2, "USHORT": 2, "INT": 4, "UINT": 4, "LONG": 4,
    "ULONG": 4, "LONG_LONG": 8, "ULONG_LONG": 8, "FLOAT": 4, "DOUBLE": 8,
}  # fmt: skip
_PLACES = ("Offset", "Position", "Origin", "CenterOfRotation")
_TURNS = ("TransformMatrix", "Rotation", "Orientation")
_SPACINGS = ("ElementSpacing", "ElementSize")
_YES_NO = ("BinaryData", "BinaryDataByteOrderMSB", "ElementByteOrderMSB")
_MUST_BE = {
    "ObjectType": ("Image",),
    "DistanceUnits": ("mm", "?", "unknown"),
    "ElementToIntensityFunctionSlope": ("1", "1.0"),
    "ElementToIntensityFunctionOffset": ("0", "0.0"),
}
_KNOWN = [
    "NDims", "DimSize", "ElementType", "ElementNumberOfChannels", "HeaderSize",
    "CompressedData", "CompressedDataSize", _LAST, *_PLACES, *_TURNS, *_SPACINGS,
    *_YES_NO, *_MUST_BE,
]  # fmt: skip


def check_metaimage(path: Path) -> None:
    """Checks a `.mha` or `.mhd` file, so that ITK can be trusted with it.

    Raises:
        InputError: If the header isn't one, contradicts itself, states what ITK passes
            over, or claims voxels that aren't there.
    """
    keys, start = _read(path)
    num_axes = whole_numbers(path, "NDims", keys.get("NDims", ""), 1)[0]
    if not 1 <= num_axes <= MOST_AXES:
        raise unreadable(path, f"NDims must be 2 to {MOST_AXES}, but is {num_axes}")
    _check_frame(path, keys, num_axes)
    shape = sizes(path, "DimSize", keys.get("DimSize", ""), num_axes)
    channels = sizes(
        path, "ElementNumberOfChannels", keys.get("ElementNumberOfChannels", "1"), 1
    )
    kind = keys.get("ElementType", "").removeprefix("MET_").removesuffix("_ARRAY")
    if kind not in _BYTES:
        raise unreadable(path, f"ElementType {keys.get('ElementType')!r} isn't known")
    _check_voxels(path, keys, start, [*shape, *channels], _BYTES[kind])


def _read(path: Path) -> tuple[dict[str, str], int]:
    """The keys with their values, and where the header ends."""
    keys: dict[str, str] = {}
    with path.open("rb") as stream:
        while _LAST not in keys:
            line = stream.readline(_LONGEST_HEADER)
            if not line or stream.tell() > _LONGEST_HEADER:
                raise unreadable(path, f"its header has no line of {_LAST}")
            key, value = _split(path, line)
            if key in keys:
                raise unreadable(path, f"its header states {key} twice")
            if key:
                keys[key] = value
        return keys, stream.tell()


def _split(path: Path, line: bytes) -> tuple[str, str]:
    try:
        text = line.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise unreadable(path, f"its header isn't text in UTF-8: {error}") from error
    if not text:
        return "", ""
    at = next((n for n, letter in enumerate(text) if letter in "=:"), 0)
    if not at or not text.isprintable() or len(line) > _LONGEST_LINE:
        raise unreadable(
            path, f"a line of its header isn't 'Key = value', but {text[:40]!r}"
        )
    key = text[:at].strip()
    meant = "" if key in _KNOWN else one_letter_off(key, _KNOWN)
    if meant:
        raise unreadable(path, f"the key {key!r} of its header isn't known; {meant} is")
    return key, text[at + 1 :].strip()


def _check_frame(path: Path, keys: dict[str, str], num_axes: int) -> None:
    """What places the voxels, and what ITK would pass over."""
    for key in keys.keys() & {*_PLACES}:
        check_reals(path, key, keys[key], num_axes)
    for key in keys.keys() & {*_SPACINGS}:
        check_reals(path, key, keys[key], num_axes, positive=True)
    for key in keys.keys() & {*_TURNS}:
        check_reals(path, key, keys[key], num_axes**2)
    for key in keys.keys() & {*_YES_NO, "CompressedData"}:
        _is_true(path, keys, key)
    for key in keys.keys() & _MUST_BE.keys():
        if keys[key] not in _MUST_BE[key]:
            raise unreadable(
                path, f"{key} must be {_MUST_BE[key][0]}, but is {keys[key]!r}"
            )


def _is_true(path: Path, keys: dict[str, str], key: str) -> bool:
    value = keys.get(key, "False").lower()
    if value not in ("true", "false", "1", "0"):
        raise unreadable(path, f"{key} must be True or False, but is {keys[key]!r}")
    return value in ("true", "1")


def _check_voxels(
    path: Path, keys: dict[str, str], start: int, shape: list[int], itemsize: int
) -> None:
    count, longest = math.prod(shape), max(shape)
    local = keys[_LAST].lower() == "local"
    data = path if local else file_beside(path, _LAST, keys[_LAST])
    skipped = whole_numbers(path, "HeaderSize", keys.get("HeaderSize", "0"), 1)[0]
    if skipped < -1 or (local and skipped > 0):
        raise unreadable(path, f"HeaderSize must be 0 or more, but is {skipped}")
    start = (start if local else 0) + max(skipped, 0)
    available = data.stat().st_size - start
    claimed = count * itemsize
    with data.open("rb") as stream:
        stream.seek(start)
        if not _is_true(path, keys, "BinaryData") and "BinaryData" in keys:
            check_text(path, stream, count)
        elif _is_true(path, keys, "CompressedData"):
            # Without it, MetaIO shows what was in memory by chance.
            stated = keys.get("CompressedDataSize", "")
            size = whole_numbers(path, "CompressedDataSize", stated, 1)[0]
            check_raw(path, available, size)
            check_zlib(path, stream, size, claimed)
        elif skipped == -1:  # the voxels are what the file ends with
            check_raw(path, min(available, claimed), claimed)
        else:
            check_raw(path, available, claimed, longest)
