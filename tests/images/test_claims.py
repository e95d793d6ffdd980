"""Headers that claim more than is there cost a sentence, not the memory."""

import gzip
import os
import resource
import socket
import struct

import nibabel as nib
import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.images import read_image, read_labels

HUGE = (2000, 2000, 1000)  # 8 GB
SHAPE = (9, 8, 7)


def _peak():
    """The most memory that this process has had so far, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _voxels(shape=SHAPE, seed=0):
    return np.random.default_rng(seed).integers(0, 999, shape).astype(np.int16)


def _nifti(shape, data=b"", kind=nib.Nifti1Header):
    header = kind()
    header["sform_code"] = 1
    header["srow_x"], header["srow_y"] = (1, 0, 0, 0), (0, 1, 0, 0)
    header["srow_z"] = (0, 0, 1, 0)
    header.set_data_dtype(np.int16)
    header.set_data_shape(shape)
    header["vox_offset"] = header.single_vox_offset
    header["magic"] = header.single_magic
    padding = header.single_vox_offset - header.sizeof_hdr
    return header.binaryblock + bytes(padding) + data


def _analyze(shape):
    header = nib.AnalyzeHeader()
    header.set_data_dtype(np.int16)
    header.set_data_shape(shape)
    return header.binaryblock


def _mgh(shape):
    header = nib.freesurfer.mghformat.MGHHeader()
    header.set_data_dtype(np.int16)
    header.set_data_shape(shape)
    return header.binaryblock


NRRD = (
    "NRRD0004\ntype: short\ndimension: 3\nsizes: 2000 2000 1000\nendian: little\n"
    "encoding: {}\n\n"
)
META = (
    "NDims = 3\nDimSize = 2000 2000 1000\nElementType = MET_SHORT\n"
    "CompressedData = {}\nCompressedDataSize = 1000\nElementDataFile = LOCAL\n"
)
FILES = {
    "a.nii": _nifti(HUGE, bytes(1000)),
    "b.nii": _nifti(HUGE, bytes(1000), nib.Nifti2Header),
    "c.nii.gz": gzip.compress(_nifti(HUGE, bytes(1000))),
    "d.nii.gz": gzip.compress(_nifti(HUGE, os.urandom(10_000_000)), 1),
    "e.img": bytes(1000),
    "f.mgh": _mgh(HUGE) + bytes(1000),
    "g.mgz": gzip.compress(_mgh(HUGE) + bytes(1000)),
    "h.nrrd": NRRD.format("raw").encode() + bytes(1000),
    "i.nrrd": NRRD.format("gzip").encode() + gzip.compress(bytes(1000)),
    "j.mha": META.format("False").encode() + bytes(1000),
    "k.mha": META.format("True").encode() + bytes(1000),
    "l.nii": _nifti((32767,) * 7, bytes(1000)),
}


@pytest.mark.parametrize("name", FILES)
def test_what_is_claimed_is_compared_before_memory_is_taken(tmp_path, name):
    before = _peak()
    (tmp_path / name).write_bytes(FILES[name])
    (tmp_path / "e.hdr").write_bytes(_analyze(HUGE))
    with pytest.raises(InputError, match=rf"{name}: can't be read as an image"):
        read_image(tmp_path / name)
    assert _peak() - before < 300_000_000


def test_a_bomb_of_zeros_behind_an_image_is_not_unpacked(tmp_path):
    whole = _nifti(SHAPE, _voxels().tobytes(order="F"))
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(whole))
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii.gz").array, _voxels())
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(whole + bytes(100_000_000)))
    with pytest.raises(InputError, match="more follows than the 1008 bytes"):
        read_image(tmp_path / "a.nii.gz")


@pytest.mark.parametrize("shape", [(9, 8, 6), (9, 8, 3), (8, 8, 7), (9, 8), (9, 4, 7)])
@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_claims_less_than_was_written_is_refused(tmp_path, shape, packed):
    """One flipped bit of a size would show another image."""
    raw = _nifti(shape, _voxels().tobytes(order="F"))
    path = tmp_path / ("a.nii.gz" if packed else "a.nii")
    path.write_bytes(gzip.compress(raw) if packed else raw)
    with pytest.raises(InputError, match=r"a\.nii.*claim"):
        read_image(path)


@pytest.mark.parametrize("name", ["a.mgh", "a.mgz"])
def test_freesurfers_footer_is_no_voxels(tmp_path, name):
    nib.save(nib.MGHImage(_voxels().astype(np.int32), np.eye(4)), tmp_path / "b.mgh")
    raw = (tmp_path / "b.mgh").read_bytes()
    less = raw[:12] + (6).to_bytes(4, "big") + raw[16:]
    pack = gzip.compress if name == "a.mgz" else bytes
    (tmp_path / name).write_bytes(pack(raw))
    np.testing.assert_array_equal(read_image(tmp_path / name).array, _voxels())
    (tmp_path / name).write_bytes(pack(less))
    with pytest.raises(InputError, match=r"a\.mg.: .*more follows"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_voxels_that_start_within_their_header_are_refused(tmp_path, kind, name):
    """nibabel reads an offset of 0 as it stands: the header's bytes as voxels."""
    voxels = _voxels((40, 41, 20))  # so many that the header may pass for padding
    raw = bytearray(kind(voxels, np.eye(4)).to_bytes())
    path = tmp_path / name
    pack = gzip.compress if name.endswith(".gz") else bytes
    path.write_bytes(pack(raw))
    np.testing.assert_array_equal(read_image(path).array, voxels)
    start, code = (108, "<f") if kind is nib.Nifti1Image else (168, "<i")
    raw[start : start + 4] = bytes(4)
    path.write_bytes(pack(raw))
    with pytest.raises(InputError, match=r"at byte (352|544) or later.* 0 \(vox_of"):
        read_image(path)
    raw[start : start + 4] = struct.pack(code, 100)
    path.write_bytes(pack(raw))
    with pytest.raises(InputError, match=rf"{name}: .*offset 100 too low"):
        read_image(path)


def test_a_little_padding_is_allowed(tmp_path):
    voxels = _voxels((40, 41, 20))
    raw = _nifti(voxels.shape, voxels.tobytes(order="F") + bytes(500))
    (tmp_path / "a.nii").write_bytes(raw)
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii").array, voxels)


def test_packed_voxels_beside_their_header_are_checked_to_the_end(tmp_path):
    image = nib.Nifti1Pair(_voxels(), np.eye(4))
    nib.save(image, tmp_path / "a.img.gz")
    np.testing.assert_array_equal(read_image(tmp_path / "a.img.gz").array, _voxels())
    whole = (tmp_path / "a.img.gz").read_bytes()
    (tmp_path / "a.img.gz").write_bytes(whole[:-8] + bytes(8))
    with pytest.raises(InputError, match=r"a\.img\.gz: can't be read"):
        read_image(tmp_path / "a.img.gz")


ENDINGS = ["nii", "nii.gz", "mha", "mhd", "nrrd", "nhdr", "img", "hdr", "mgz", "dcm"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_pipes_sockets_devices_and_dangling_links_are_refused(tmp_path, ending):
    os.mkfifo(tmp_path / f"pipe.{ending}")
    (tmp_path / f"link.{ending}").symlink_to(tmp_path / "nothing")
    (tmp_path / f"device.{ending}").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / f"socket.{ending}"))
        for name, said in {
            "pipe": "is a pipe",
            "link": "is a link to nothing",
            "device": "is a device",
            "socket": "is a socket",
        }.items():
            with pytest.raises(InputError, match=rf"{name}\.{ending}: .*{said}"):
                read_image(tmp_path / f"{name}.{ending}")


@pytest.mark.parametrize("partner", ["a.img", "a.mat"])
def test_pipes_beside_a_header_are_refused(tmp_path, partner):
    nib.save(nib.Spm99AnalyzeImage(_voxels(), np.eye(4)), tmp_path / "a.img")
    (tmp_path / partner).unlink()
    os.mkfifo(tmp_path / partner)
    with pytest.raises(InputError, match=rf"a\.hdr: .*{partner} .*is a pipe"):
        read_labels(tmp_path / "a.hdr")


@pytest.mark.parametrize("name", ["a.nii", "a.nrrd", "a.mha", "folder"])
def test_what_may_not_be_read_is_said(tmp_path, monkeypatch, name):
    """Root may read everything, so somebody else is asked here."""
    (tmp_path / name).mkdir() if name == "folder" else (tmp_path / name).write_bytes(
        b""
    )
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(InputError, match=rf"{name}: .*may not be read by this user"):
        read_image(tmp_path / name)
