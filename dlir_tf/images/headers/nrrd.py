"""The header of a NRRD file, and whether the voxels it claims are there.

Lines of text, `field: value` and `key:=value`, up to an empty one, after which the
voxels follow unless the header names a file that has them. ITK's reader compares no
checksums.

Format: https://teem.sourceforge.net/nrrd/format.html
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from dlir_tf.images.headers.beside import file_beside
from dlir_tf.images.headers.lines import (
    MOST_AXES,
    check_reals,
    sizes,
    whole_numbers,
)
from dlir_tf.images.headers.refusal import unreadable
from dlir_tf.images.headers.voxels import (
    check_bzip2,
    check_raw,
    check_text,
    check_zlib,
)

_LONGEST_HEADER = 1 << 20  # bytes; Slicer's segmentations have some ten thousand
_LONGEST_FIELD = 1000  # letters; ITK's reader ends the process at longer ones
_SPACES = {
    "", "rightanteriorsuperior", "ras", "leftanteriorsuperior", "las",
    "leftposteriorsuperior", "lps", "scannerxyz", "3drighthanded", "3dlefthanded",
}  # fmt: skip
_MILLIMETRES = {"", "mm", "millimeter", "millimeters", "millimetre", "???", "none"}
_KINDS = {
    "domain", "space", "time", "list", "point", "vector", "covariantvector", "normal",
    "stub", "scalar", "complex", "2vector", "3color", "rgbcolor", "hsvcolor",
    "xyzcolor", "4color", "rgbacolor", "3vector", "3gradient", "3normal", "4vector",
    "quaternion", "2dsymmetricmatrix", "2dmaskedsymmetricmatrix", "2dmatrix",
    "2dmaskedmatrix", "3dsymmetricmatrix", "3dmaskedsymmetricmatrix", "3dmatrix",
    "3dmaskedmatrix", "none", "???",
}  # fmt: skip
_NAMES = {
    1: "signedchar int8 int8_t uchar unsignedchar uint8 uint8_t",
    2: "short shortint signedshort signedshortint int16 int16_t ushort unsignedshort "
    "unsignedshortint uint16 uint16_t",
    4: "int signedint int32 int32_t uint unsignedint uint32 uint32_t float",
    8: "longlong longlongint signedlonglong signedlonglongint int64 int64_t ulonglong "
    "unsignedlonglong unsignedlonglongint uint64 uint64_t double",
}
_BYTES = {name: size for size, names in _NAMES.items() for name in names.split()}
_RAW, _TEXT, _HEX = ("raw",), ("ascii", "text", "txt"), ("hex",)
_GZIP, _BZIP2 = ("gzip", "gz"), ("bzip2", "bz2")
_FIELDS = {
    "type", "dimension", "sizes", "encoding", "endian", "content", "space",
    "spacedimension", "spacedirections", "spaceorigin", "spaceunits", "spacings",
    "kinds", "centers", "centerings", "labels", "units", "thicknesses", "axismins",
    "axismaxs", "measurementframe", "datafile", "lineskip", "byteskip", "oldmin",
    "oldmax", "min", "max", "sampleunits", "number", "blocksize",
}  # fmt: skip


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
        raise unreadable(path, f"its header isn't text in UTF-8: {error}") from error
    fields: dict[str, str] = {}
    keys: dict[str, str] = {}
    for text in texts:
        if text.startswith("#"):
            continue
        name, colon, value = text.partition(":")
        is_key = value.startswith("=")
        known, name = (keys, name) if is_key else (fields, _small(name))
        fits = is_key or (name in _FIELDS and len(text) <= _LONGEST_FIELD)
        if not colon or name in known or not fits:
            what = "comes twice" if name in known else "isn't one of a NRRD file's"
            raise unreadable(path, f"the line {text[:60]!r} of its header {what}")
        known[name] = value[1:] if is_key else value.strip()
    return NrrdHeader(fields, keys, start)


def _small(name: str) -> str:
    """Names of fields may be written with blanks or without."""
    return name.replace(" ", "").lower()


def check_nrrd(path: Path, header: NrrdHeader) -> None:
    """Checks a `.nrrd` or `.nhdr` file, so that ITK can be trusted with it.

    Raises:
        InputError: If the header contradicts itself, or claims voxels that aren't
            there.
    """
    fields = header.fields
    num_axes = whole_numbers(path, "dimension", fields.get("dimension", ""), 1)[0]
    if not 1 <= num_axes <= MOST_AXES:
        raise unreadable(path, f"dimension must be 2 to {MOST_AXES}, but is {num_axes}")
    shape = sizes(path, "sizes", fields.get("sizes", ""), num_axes)
    itemsize = _BYTES.get(_small(fields.get("type", "")), 0)
    if not itemsize:
        raise unreadable(path, f"its type {fields.get('type')!r} isn't known")
    if itemsize > 1 and fields.get("endian", "little").lower() not in ("little", "big"):
        raise unreadable(path, f"endian is {fields['endian']!r}")
    _check_frame(path, fields, num_axes)
    _check_voxels(path, header, shape, itemsize)


def _check_frame(path: Path, fields: Mapping[str, str], num_axes: int) -> None:
    space = fields.get("space", "").replace("-", "").lower().removesuffix("time")
    if space not in _SPACES:
        raise unreadable(path, f"its space {fields['space'][:60]!r} isn't known")
    kinds = fields.get("kinds", "").replace("-", "").lower().split()
    if ("kinds" in fields and len(kinds) != num_axes) or not _KINDS.issuperset(kinds):
        raise unreadable(path, f"kinds must be {num_axes}, but are {kinds}")
    units = set(re.findall(r'"([^"]*)"', fields.get("spaceunits", "")))
    if not units <= _MILLIMETRES:
        raise unreadable(path, f"its space units must be mm, but are {sorted(units)}")
    directions = _vectors(fields.get("spacedirections", ""))
    if "spacedirections" in fields and len(directions) != num_axes:
        raise unreadable(
            path, f"space directions must be {num_axes}, but are {len(directions)}"
        )
    vectors = [vector for vector in directions if vector != "none"]
    rank = len(vectors[0].split()) if vectors else 0
    for vector in vectors:
        check_reals(path, "each of the space directions", vector, rank)
    if "spaceorigin" in fields:
        origin = _vectors(fields["spaceorigin"])
        check_reals(path, "space origin", " ".join(origin), rank or num_axes)
    for key in ("spacings", "thicknesses", "axismins", "axismaxs"):
        words = fields.get(key, "").split()
        numbers = [word for word in words if word.lower() not in ("nan", "none")]
        if key in fields and len(words) != num_axes:
            raise unreadable(path, f"{key} must be {num_axes}, but are {len(words)}")
        check_reals(path, key, " ".join(numbers), len(numbers))


def _vectors(text: str) -> list[str]:
    """The vectors of a line, `(1,0,0) none (0,1,0)`, each as numbers between blanks."""
    inside = text.replace("none", "(none)").split("(")
    return [part.split(")")[0].replace(",", " ").strip() for part in inside[1:]]


def _check_voxels(
    path: Path, header: NrrdHeader, shape: list[int], itemsize: int
) -> None:
    fields = header.fields
    name = fields.get("datafile", "")
    if "datafile" not in fields and path.suffix.lower() == ".nhdr":
        raise unreadable(path, "its header names no data file")
    data = file_beside(path, "data file", name) if "datafile" in fields else path
    with data.open("rb") as stream:
        stream.seek(header.start if data == path else 0)
        for _ in range(_skip(path, fields, "lineskip")):
            stream.readline()
        encoding = fields.get("encoding", "").lower()
        skip = _skip(path, fields, "byteskip")
        available = data.stat().st_size - stream.tell()
        _check_encoded(path, stream, encoding, skip, available, shape, itemsize)


def _check_encoded(
    path: Path,
    stream: BinaryIO,
    encoding: str,
    skip: int,
    available: int,
    shape: list[int],
    itemsize: int,
) -> None:
    count = math.prod(shape)
    if encoding in _RAW:
        if skip == -1:  # the voxels are what the file ends with
            available = min(available, count * itemsize)
        check_raw(path, available - max(skip, 0), count * itemsize, max(shape))
        return
    if skip:
        raise unreadable(path, f"byte skip must be 0 before {encoding} voxels")
    if encoding in _GZIP:
        check_zlib(path, stream, available, count * itemsize)
    elif encoding in _BZIP2:
        check_bzip2(path, stream, count * itemsize)
    elif encoding in _TEXT:
        check_text(path, stream, count)
    elif encoding in _HEX:
        check_raw(path, len(b"".join(stream.read().split())), 2 * count * itemsize)
    else:
        raise unreadable(path, f"its encoding {encoding!r} isn't known")


def _skip(path: Path, fields: Mapping[str, str], key: str) -> int:
    number = whole_numbers(path, key, fields.get(key, "0"), 1)[0]
    if not -1 <= number <= _LONGEST_HEADER or (number == -1 and key == "lineskip"):
        raise unreadable(path, f"{key} must be 0 or more, but is {number}")
    return number
