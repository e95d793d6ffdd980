"""Whether the voxels that a header claims are there, before memory is taken for them.

Compressed ones are unpacked once, in small pieces: their checksum is compared, and
their number. ITK's readers do neither.
"""

import bz2
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from dlir_tf.images.headers.refusal import unreadable

# Some programs fill up the last block of a file.
MOST_PADDING = 511
MOST_PACKED = 1032  # bytes that one byte of deflate can stand for
_PIECE = 1 << 20
_ZLIB_OR_GZIP = 47
_NUMBER = frozenset(b"0123456789+-.eE \t\r\n\f\v")


def padding_of(claimed: int, longest: int) -> int:
    """How many bytes after the voxels may be padding, by `check_raw`."""
    return max(0, min(MOST_PADDING, claimed // longest - 1))


def check_raw(path: Path, available: int, claimed: int, longest: int = 1) -> None:
    """Whether as many bytes are there as the header claims, apart from padding.

    Args:
        path: The image, for the messages.
        available: How many bytes there are.
        claimed: How many the header claims.
        longest: The largest size of an axis. What is missing from a size takes away at
            least that part, so less may be padding.

    Raises:
        InputError: If there are fewer, or so many more that the header claims another
            image than was written.
    """
    if not claimed <= available <= claimed + padding_of(claimed, longest):
        raise unreadable(
            path,
            f"its header claims {claimed} bytes of voxels, but {available} are there",
        )


def check_zlib(path: Path, stream: BinaryIO, size: int, claimed: int) -> None:
    """Unpacks what zlib or gzip packed; sizes and checksum must be right.

    Args:
        path: The image, for the messages.
        stream: Stands where the packed voxels begin; goes to its end.
        size: How many packed bytes there are.
        claimed: How many bytes of voxels the header claims.

    Raises:
        InputError: If they aren't.
    """
    if claimed > MOST_PACKED * size:
        raise unreadable(
            path,
            f"its header claims {claimed} bytes of voxels, but only {size} packed "
            "bytes follow",
        )
    _check_packed(path, _unzlib(stream), claimed)


def check_bzip2(path: Path, stream: BinaryIO, claimed: int) -> None:
    """The same for bzip2."""
    _check_packed(path, _unbzip2(stream), claimed)


def _check_packed(path: Path, pieces: Iterator[int], claimed: int) -> None:
    found = 0
    try:
        for piece in pieces:
            found += piece
            if found > claimed:
                break
    except (zlib.error, OSError, EOFError) as error:
        raise unreadable(path, f"its packed voxels are damaged: {error}") from error
    if found != claimed:
        packed = "more" if found > claimed else f"{found}"
        raise unreadable(
            path, f"its header claims {claimed} bytes of voxels, but {packed} are there"
        )


def _unzlib(stream: BinaryIO) -> Iterator[int]:
    """The sizes of the pieces that come out."""
    unpacker = zlib.decompressobj(_ZLIB_OR_GZIP)
    while not unpacker.eof:
        packed = unpacker.unconsumed_tail or stream.read(_PIECE)
        if not packed:
            raise EOFError("they end too soon")
        yield len(unpacker.decompress(packed, _PIECE))
    _check_end(unpacker.unused_data, stream)


def _unbzip2(stream: BinaryIO) -> Iterator[int]:
    unpacker = bz2.BZ2Decompressor()
    while not unpacker.eof:
        packed = stream.read(_PIECE) if unpacker.needs_input else b""
        if unpacker.needs_input and not packed:
            raise EOFError("they end too soon")
        yield len(unpacker.decompress(packed, _PIECE))
    _check_end(unpacker.unused_data, stream)


def _check_end(unused: bytes, stream: BinaryIO) -> None:
    if len(unused) + len(stream.read(_PIECE)) > MOST_PADDING:
        raise EOFError("something else follows them")


def check_text(path: Path, stream: BinaryIO, count: int) -> None:
    """Whether as many numbers follow as voxels are claimed.

    Raises:
        InputError: If not, or if they aren't numbers.
    """
    text = stream.read()
    if not _NUMBER.issuperset(text):
        raise unreadable(path, "its voxels should be numbers in text, but aren't")
    found = len(text.split())
    if found != count:
        raise unreadable(
            path, f"its header claims {count} numbers, but {found} follow in text"
        )
