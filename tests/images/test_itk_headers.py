"""MetaImage and NRRD are looked at before ITK: what it can't be trusted with."""

import bz2
import contextlib
import gzip
import os
import re
import zlib

import numpy as np
import pytest
import SimpleITK as sitk

from dlir_tf.errors import InputError
from dlir_tf.images import Image, read_image, write_image
from dlir_tf.images.headers.beside import elsewhere_allowed

META = (
    "ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\n"
    "CompressedData = False\nTransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 4 5 6\n"
    "ElementSpacing = 1 2 3\nDimSize = 5 4 3\nElementType = MET_USHORT\n"
    "ElementDataFile = LOCAL\n"
)
NRRD = (
    "NRRD0004\n# made by hand\ntype: unsigned short\ndimension: 3\n"
    "space: left-posterior-superior\nsizes: 5 4 3\n"
    "space directions: (1,0,0) (0,2,0) (0,0,3)\nkinds: domain domain domain\n"
    "endian: little\nencoding: raw\nspace origin: (4,5,6)\n\n"
)
ARRAY = np.arange(60, dtype="<u2").reshape(5, 4, 3) * 7
RAW = ARRAY.tobytes(order="F")


def _with(text, **lines):
    """A header with other values; `None` takes a line out."""
    for key, value in lines.items():
        name = key.replace("_", " ")
        pattern = rf"(?m)^{name}( =|:) .*\n"
        new = "" if value is None else rf"{name}\1 {value}\n"
        changed = re.sub(pattern, new, text)
        if changed == text:
            changed = text.replace("\nElementDataFile", f"\n{name} = {value}\nElement")
            changed = changed.replace("\nElement = ", "\nElementDataFile = ")
            if text.startswith("NRRD"):
                changed = f"{text.rstrip()}\n{name}: {value}\n\n"
        text = changed
    return text


def _packed(data):
    return _with(META, CompressedData="True", CompressedDataSize=len(data))


def _read(tmp_path, text, data=RAW, name=None):
    name = name or ("a.nrrd" if text.startswith("NRRD") else "a.mha")
    path = tmp_path / name
    path.write_bytes(text.encode("utf-8", "surrogateescape") + data)
    return read_image(path)


def _check_read(image):
    np.testing.assert_array_equal(image.array, ARRAY)
    expected = np.diag([-1.0, -2, 3, 1])
    expected[:3, 3] = [-4, -5, 6]
    np.testing.assert_allclose(image.affine, expected)


IN_TEXT = " ".join(map(str, ARRAY.ravel(order="F"))).encode()


@pytest.mark.parametrize(
    ("text", "data"),
    [
        (META, RAW),
        (META, RAW + bytes(8)),
        (META.replace("\n", "\r\n"), RAW),
        (_with(META, HeaderSize=-1), b"xyz" + RAW),
        (_packed(zlib.compress(RAW)), zlib.compress(RAW)),
        (_packed(gzip.compress(RAW, mtime=0)), gzip.compress(RAW, mtime=0)),
        (_with(META, Offset=None, My_Origin="?", Position="4 5 6"), RAW),
        (_with(META, ElementSpacing=None, ElementSize="1 2 3"), RAW),
        (_with(META, Comment="Herz, 患者: α = 3"), RAW),
        (NRRD, RAW),
        (_with(NRRD, type="uint16"), RAW),
        (_with(NRRD, space_units='"mm" "mm" "mm"'), RAW),
        (_with(NRRD, byte_skip="-1"), b"xyz" + RAW),
        (_with(NRRD, byte_skip="3"), b"xyz" + RAW),
        (_with(NRRD, line_skip="1"), b"a line\n" + RAW),
        (_with(NRRD, encoding="gzip"), gzip.compress(RAW)),
        (_with(NRRD, encoding="ascii", endian=None), IN_TEXT),
        (NRRD.replace("\n\n", "\nkey:=a value: with signs\n\n"), RAW),
    ],
)
def test_what_the_formats_allow_is_read(tmp_path, text, data):
    _check_read(_read(tmp_path, text, data))


def test_voxels_beside_the_header_are_read(tmp_path):
    (tmp_path / "in a folder").mkdir()
    (tmp_path / "in a folder" / "v.raw").write_bytes(RAW)
    (tmp_path / "v.raw").write_bytes(RAW)
    for place in ("v.raw", "in a folder/v.raw"):
        text = _with(META, ElementDataFile=place)
        _check_read(_read(tmp_path, text, b"", "a.mhd"))
        text = _with(NRRD, data_file=place)
        _check_read(_read(tmp_path, text, b"", "a.nhdr"))


@pytest.mark.parametrize("name", ["a.mhd", "a.nhdr"])
def test_voxels_elsewhere_are_read_only_where_that_is_allowed(tmp_path, name):
    here = tmp_path / "here"
    here.mkdir()
    (tmp_path / "v.raw").write_bytes(RAW)
    (here / "link.raw").symlink_to(tmp_path / "v.raw")
    for place in ("../v.raw", str(tmp_path / "v.raw"), "link.raw"):
        text = (
            _with(META, ElementDataFile=place)
            if name == "a.mhd"
            else _with(NRRD, data_file=place)
        )
        with pytest.raises(InputError, match=rf"{name}: .*--allow-elsewhere"):
            _read(here, text, b"", name)
        with elsewhere_allowed():
            _check_read(_read(here, text, b"", name))
        with pytest.raises(InputError, match=rf"{name}: .*--allow-elsewhere"):
            read_image(here / name)


@pytest.mark.parametrize(
    "place",
    ["LIST", "LIST 2", "v%03d.raw 1 3 1", "%n%n%n%s", "", "no.raw", "\x01", "pipe.raw"],
)
def test_lists_patterns_and_what_is_no_file_are_refused(tmp_path, monkeypatch, place):
    monkeypatch.setattr(sitk, "ReadImage", None)
    os.mkfifo(tmp_path / "pipe.raw")
    with pytest.raises(InputError, match=r"a\.mhd: "):
        _read(tmp_path, _with(META, ElementDataFile=place), b"", "a.mhd")
    with pytest.raises(InputError, match=r"a\.nhdr: "):
        _read(tmp_path, _with(NRRD, data_file=place), b"", "a.nhdr")


DAMAGED = [
    _with(META, NDims="65536"),
    _with(META, NDims="1e308"),
    _with(META, NDims="-1"),
    _with(META, NDims=None),
    _with(META, DimSize="5 4"),
    _with(META, DimSize="5 4 3 2"),
    _with(META, DimSize="5 4 1e308"),
    _with(META, DimSize="5 4 -3"),
    _with(META, DimSize="5 4 2"),
    _with(META, DimSize="50000 40000 3"),
    _with(META, Offset="4 5 1e308"),
    _with(META, Offset="4 5 nan"),
    _with(META, Offset="4 5"),
    _with(META, ElementSpacing="1 2 0"),
    _with(META, TransformMatrix="1 0 0"),
    _with(META, ElementType="MET_OTHER"),
    _with(META, ElementType="MET_UCHAR"),
    _with(META, ElementType="MET_FLOAT"),
    _with(META, ElementNumberOfChannels="1000000"),
    _with(META, HeaderSize="10"),
    _with(META, CompressedData="perhaps"),
    _with(META, CompressedData="True"),
    _packed(RAW),
    _with(META, BinaryData="False"),
    _with(META, DistanceUnits="um"),
    _with(META, ElementToIntensityFunctionSlope="2"),
    _with(META, ObjectType="Scene"),
    META.replace("ElementSpacing", "ElementSpacinG"),
    META.replace("ElementSpacing", "EmementSpacing"),
    META.replace("NDims", "\udcff\udcfe"),
    META.replace("NDims = 3", "NDims = 3\nNDims = 2"),
    META.replace("ElementDataFile", "Element"),
    _with(NRRD, dimension="65536"),
    _with(NRRD, dimension="0"),
    _with(NRRD, sizes="5 4"),
    _with(NRRD, sizes="5 4 1e308"),
    _with(NRRD, sizes="5 4 2"),
    _with(NRRD, sizes="50000 40000 3"),
    _with(NRRD, sizes="-5 -4 3"),
    _with(NRRD, type="block"),
    _with(NRRD, type="double"),
    _with(NRRD, type=None),
    _with(NRRD, encoding="zip"),
    _with(NRRD, encoding="gzip"),
    _with(NRRD, encoding="bzip2"),
    _with(NRRD, encoding="ascii"),
    _with(NRRD, encoding="hex"),
    _with(NRRD, endian="middle"),
    _with(NRRD, space_directions="(1,0,0) (0,2,0)"),
    _with(NRRD, space_directions="(1,0,0) (0,2,0) (0,0,1e308)"),
    _with(NRRD, space_directions="(1,0,0) (0,2,0) (0,0)"),
    _with(NRRD, space_origin="(4,5,nan)"),
    _with(NRRD, byte_skip="-7"),
    _with(NRRD, line_skip="99999999999"),
    NRRD.replace("space origin", "space oriGgn"),
    NRRD.replace("dimension", "\udcff\udcfe"),
    NRRD.replace("sizes: 5 4 3", "sizes: 5 4 3\nsizes: 5 4 3"),
    NRRD.rstrip("\n"),
    _with(NRRD, space="x" * 70_000),
    _with(NRRD, kinds="domain domain"),
    _with(NRRD, space_units='"cm" "cm" "cm"'),
    _with(NRRD, kinds="domain domain nothing"),
    _with(NRRD, content="x" * 70_000),
    _with(META, Comment="x" * 70_000),
    _with(META, **{"x" * 3000: "1"}),
]


@pytest.mark.parametrize("text", DAMAGED, ids=range(len(DAMAGED)))
def test_headers_that_itk_cannot_be_trusted_with_never_reach_it(
    tmp_path, monkeypatch, text
):
    """They'd end the process, take its memory or show another image."""
    monkeypatch.setattr(sitk, "ReadImage", None)
    with pytest.raises(InputError, match=r"a\.(mha|nrrd): can't be read as an image"):
        _read(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "packed"),
    [
        (_packed(zlib.compress(RAW)), zlib.compress(RAW)),
        (_with(NRRD, encoding="gzip"), gzip.compress(RAW, mtime=0)),
        (_with(NRRD, encoding="bzip2"), bz2.compress(RAW)),
    ],
    ids=["zlib", "gzip", "bzip2"],
)
def test_every_flipped_bit_of_packed_voxels_is_found(tmp_path, text, packed):
    """But for those in the head of gzip that say when the file was made."""
    harmless = set(range(4, 10)) if packed[:2] == b"\x1f\x8b" else set()
    for at in sorted(set(range(len(packed))) - harmless):
        damaged = bytearray(packed)
        damaged[at] ^= 1 << (at % 8)
        with pytest.raises(InputError, match=r"a\.(mha|nrrd): can't be read as an im"):
            _read(tmp_path, text, bytes(damaged))
    for other in (os.urandom(len(packed)), packed[:-1], packed + bytes(600), b""):
        with pytest.raises(InputError, match=r"a\.(mha|nrrd): can't be read as an im"):
            _read(tmp_path, text, other)


@pytest.mark.parametrize("name", ["b.mhd", "b.nhdr", "b.mha", "b.nrrd"])
def test_damage_of_what_we_write_is_found(tmp_path, name):
    rng = np.random.default_rng(0)
    array = np.cumsum(rng.integers(-3, 4, (12, 13, 7)), axis=0).astype(np.int16)
    write_image(tmp_path / name, Image(array, np.diag([1.5, 1.5, 4, 1])))
    data = max(tmp_path.iterdir(), key=lambda path: path.stat().st_size)
    whole = data.read_bytes()
    for _ in range(100):
        damaged = bytearray(whole)
        at = int(rng.integers(len(whole) // 2, len(whole)))
        damaged[at] ^= 1 << int(rng.integers(8))
        data.write_bytes(damaged)
        # Some bits can be either way: what comes out of both is the same.
        with contextlib.suppress(InputError):
            np.testing.assert_array_equal(read_image(tmp_path / name).array, array)
