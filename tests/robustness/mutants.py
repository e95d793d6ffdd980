"""Damages files: what disks, networks, other programs and ill will do to them.

Everything follows from a seed, so that a fault can be looked at again.
"""

import functools
import gzip
import io
import os
import re
import socket
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

_EDGES = [0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000]
_EDGES += [0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF]
_REALS = [np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, 0.0, -1.0]
_WORDS = [
    b"-1", b"0", b"1", b"7", b"65536", b"2147483648", b"99999999999999999999",
    b"1e308", b"-1e308", b"nan", b"inf", b"1e-308", b"%n%n%s", b"%s", b"../../x",
    b"/dev/zero", b"LIST", b"", b"\xff\xfe", b"\0", b'"', b"True", b"[[[[", b"\n",
    b"x" * 70_000,
]  # fmt: skip
_NUMBER = re.compile(rb"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")


@dataclass(frozen=True)
class Mutant:
    """Damaged files.

    Attributes:
        how: What was done, in words.
        files: All files that are plain, by name.
        place: Puts what isn't plain into the folder.
        told: Whether the damage can be told from the file itself, so that nothing but
            the original or an error is right.
    """

    how: str
    files: dict[str, bytes]
    place: Callable[[Path], None] | None = None
    told: bool = False


def mutant_of(original, seed):
    """The mutant of a file that belongs to a seed."""
    rng = np.random.default_rng([seed, *original.name.encode()])
    victim = sorted(original.files)[int(rng.integers(len(original.files)))]
    raw = original.files[victim]
    chosen = _DAMAGES[int(rng.integers(len(_DAMAGES)))]
    if chosen is _no_file:
        return _no_file(original, victim, rng)
    inner = rng.random() < 0.5 and _unpack(victim, raw)
    if inner:
        damaged = _repack(victim, raw, chosen(inner[1], rng), inner[0])
        told = False
    else:
        damaged = chosen(raw, rng)
        start = original.sealed.get(victim, len(raw) + 1)
        told = raw[:start] == damaged[:start]
        told |= chosen is _cut and not _is_text(victim)
    how = f"{chosen.__name__.strip('_')} {'inside ' * bool(inner)}{victim}"
    return Mutant(how, {**original.files, victim: damaged}, told=told)


def _is_text(name):
    return name.endswith((".csv", ".json", ".fcsv", ".tfm", ".yaml", ".mhd", ".nhdr"))


def _unpack(name, raw):
    """What is packed in a file, so that damage in it has the right checksum."""
    if name.endswith((".gz", ".mgz")):
        return "", gzip.decompress(raw)
    if name.endswith(".zraw"):
        return "", zlib.decompress(raw)
    if name.endswith((".npz", ".tflite")):
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            entry = archive.namelist()[len(raw) % len(archive.namelist())]
            return entry, archive.read(entry)
    return None


def _repack(name, raw, damaged, entry):
    if name.endswith((".gz", ".mgz")):
        return gzip.compress(damaged, mtime=0)
    if name.endswith(".zraw"):
        return zlib.compress(damaged)
    stream = io.BytesIO(raw[:768] if name.endswith(".tflite") else b"")
    with (
        zipfile.ZipFile(io.BytesIO(raw)) as old,
        zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as new,
    ):
        for each in old.namelist():
            new.writestr(each, damaged if each == entry else old.read(each))
    return stream.getvalue()


def _at(raw, rng):
    """A place; in half of the cases one where headers are."""
    end = max(1, len(raw) if rng.random() < 0.5 else min(len(raw), 500))
    return int(rng.integers(end))


def _flip(raw, rng):
    damaged = bytearray(raw)
    for _ in range(int(rng.choice([1, 1, 1, 2, 8]))):
        if damaged:
            damaged[_at(raw, rng)] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def _cut(raw, rng):
    return raw[: int(rng.integers(len(raw) + 1)) if rng.random() < 0.8 else -1]


def _add(raw, rng):
    return raw + rng.bytes(int(rng.choice([1, 2, 100, 5000])))


def _blank(raw, rng):
    start, size = _at(raw, rng), int(rng.choice([1, 4, 64, 512, 4096]))
    end = min(len(raw), start + size)
    filled = bytes(end - start) if rng.random() < 0.5 else rng.bytes(end - start)
    return raw[:start] + filled + raw[end:]


def _drop(raw, rng):
    start = _at(raw, rng)
    return raw[:start] + raw[start + int(rng.choice([1, 4, 100, 1000])) :]


def _repeat(raw, rng):
    start, size = _at(raw, rng), int(rng.choice([1, 16, 100, 1000]))
    return raw[: start + size] + raw[start:]


def _edge(raw, rng):
    """A number of the header at the edge of what its place can hold."""
    size = int(rng.choice([1, 2, 4, 8]))
    start = _at(raw, rng) // size * size
    order = "little" if rng.random() < 0.7 else "big"
    value = (_EDGES[int(rng.integers(len(_EDGES)))] % (1 << (8 * size))).to_bytes(
        size, order
    )
    if size >= 4 and rng.random() < 0.4:
        kind = np.dtype(("<" if order == "little" else ">") + f"f{size}")
        with np.errstate(over="ignore"):
            value = np.array(_REALS[int(rng.integers(len(_REALS)))], kind).tobytes()
    return raw[:start] + value + raw[start + size :]


def _swap(raw, rng):
    """Bytes of numbers the other way round, of the header or of all."""
    size = int(rng.choice([2, 4, 8]))
    end = min(len(raw), 352 if rng.random() < 0.5 else len(raw)) // size * size
    turned = np.frombuffer(raw[:end], f"V{size}").tobytes()
    numbers = np.frombuffer(turned, np.uint8).reshape(-1, size)[:, ::-1]
    return numbers.tobytes() + raw[end:]


def _word(raw, rng):
    """Another word in the place of a number of a text."""
    found = list(_NUMBER.finditer(raw[:5000]))
    if not found:
        return _flip(raw, rng)
    match = found[int(rng.integers(len(found)))]
    word = _WORDS[int(rng.integers(len(_WORDS)))]
    return raw[: match.start()] + word + raw[match.end() :]


def _line(raw, rng):
    """A line left out, twice, elsewhere, or with another value."""
    lines = raw[:5000].split(b"\n")
    at, to = rng.integers(len(lines), size=2)
    line = lines[at]
    what = int(rng.integers(4))
    if what == 0:
        del lines[at]
    elif what == 1:
        lines.insert(int(to), line)
    elif what == 2:
        lines[at], lines[to] = lines[to], line
    else:
        word = _WORDS[int(rng.integers(len(_WORDS)))]
        lines[at] = re.split(rb"(?<=[=:]) ?", line)[0] + b" " + word
    return b"\n".join(lines) + raw[5000:]


def _empty(raw, rng):
    return [b"", bytes(len(raw)), rng.bytes(len(raw))][int(rng.integers(3))]


def _bomb(raw, rng):
    """Much that packs into little: behind what is packed, or in its place."""
    if raw[:2] == b"\x1f\x8b":
        return (raw if rng.random() < 0.5 else b"") + _packed_zeros(gzip.compress)
    if raw[:1] == b"\x78":
        return _packed_zeros(zlib.compress)
    header, line_end, _ = raw.partition(b"LOCAL\n" if raw[:1] == b"O" else b"\n\n")
    return header + line_end + _packed_zeros(gzip.compress)


@functools.cache
def _packed_zeros(packer):
    return packer(bytes(300_000_000))


def _no_file(original, victim, rng):
    kinds: dict[str, Callable[[Path], None]] = {
        "missing": lambda path: None,
        "pipe": os.mkfifo,
        "folder": os.mkdir,
        "link to nothing": lambda path: path.symlink_to("nothing"),
        "link to itself": lambda path: path.symlink_to(path.name),
        "device": lambda path: path.symlink_to("/dev/zero"),
        "socket": _socket,
    }
    how = sorted(kinds)[int(rng.integers(len(kinds)))]
    rest = {name: raw for name, raw in original.files.items() if name != victim}

    def place(folder):
        kinds[how](folder / victim)

    return Mutant(f"{how} {victim}", rest, place)


def _socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


_OFTEN = [_flip, _cut, _edge, _word, _line]
_DAMAGES: list = [
    *_OFTEN, *_OFTEN, *_OFTEN, _add, _blank, _blank, _drop, _repeat, _swap, _empty,
    _no_file, _no_file, _bomb,
]  # fmt: skip
