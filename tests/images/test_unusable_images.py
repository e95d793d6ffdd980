"""Damaged files, and images that can't be registered, are refused in one sentence."""

import gzip
import warnings

import nibabel as nib
import numpy as np
import pytest
from nifti_files import SHAPE, oblique, save, voxels_of

from dlir_tf.errors import InputError
from dlir_tf.images import read_image


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("keep", [0.0, 0.02, 0.5, 0.9])
def test_truncated_files_are_refused(tmp_path, suffix, keep):
    path = tmp_path / f"a{suffix}"
    nib.save(nib.Nifti1Image(voxels_of((20, 21, 22)), oblique()), path)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(keep * len(raw))])
    with pytest.raises(InputError, match="can't be read as an image"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".mgh", ".mgz"])
def test_damaged_mgh_files_are_refused_in_one_sentence(tmp_path, caplog, suffix):
    path = tmp_path / f"a{suffix}"
    nib.save(nib.MGHImage(voxels_of(), oblique()), tmp_path / "whole.mgh")
    raw = (tmp_path / "whole.mgh").read_bytes()
    damaged = [raw[:keep] for keep in (0, 3, 20, 50, 100, 283, 290)]
    damaged += [raw[:at] + b"\x77" + raw[at + 1 :] for at in (0, 3, 20, 22, 23)]
    for data in damaged:
        path.write_bytes(gzip.compress(data) if suffix == ".mgz" else data)
        with pytest.raises(InputError, match=r"a\.mg.: "):
            read_image(path)
    header = bytearray(save(tmp_path / "a.nii", voxels_of()).read_bytes())
    header[70:72] = b"\x77\x77"  # a dtype that nibabel logs as well as raises
    (tmp_path / "a.nii").write_bytes(header)
    with pytest.raises(InputError, match="can't be read as an image"):
        read_image(tmp_path / "a.nii")
    assert not caplog.records


def test_corrupted_gzip_is_refused(tmp_path):
    path = tmp_path / "a.nii.gz"
    content = save(tmp_path / "a.nii", voxels_of((20, 21, 22))).read_bytes()
    for garbage in (b"no gzip at all", gzip.compress(b"no image at all" * 99)):
        path.write_bytes(garbage)
        with pytest.raises(InputError, match="can't be read as an image"):
            read_image(path)
    wrong_sum = bytearray(gzip.compress(content))
    wrong_sum[-8] ^= 1  # voxels that aren't what was written
    path.write_bytes(wrong_sum)
    with pytest.raises(InputError, match="CRC"):
        read_image(path)


def test_flipped_bytes_never_escape_as_other_errors(tmp_path):
    raw = save(tmp_path / "a.nii", voxels_of()).read_bytes()
    rng = np.random.default_rng(5)
    refused = 0
    for _ in range(60):
        broken = bytearray(raw)
        for position in rng.integers(0, 112, 3):  # sizes, types, pixdim, offsets
            broken[position] = rng.integers(256)
        (tmp_path / "b.nii").write_bytes(broken)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                read_image(tmp_path / "b.nii")
            except InputError:
                refused += 1
    assert refused > 10


def _rgb_in_time():
    return np.zeros((*SHAPE, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (_rgb_in_time(), "2 volumes or channels"),
        (np.zeros(SHAPE, np.complex64), "complex64"),
        (voxels_of((*SHAPE, 6)), r"\(5, 7, 4, 6\), 6 volumes or channels"),
        (voxels_of((*SHAPE, 1, 3)), r"\(5, 7, 4, 1, 3\), 3 volumes or channels"),
        (voxels_of((9,)), r"2 or 3 spatial axes.*\(9,\)"),
        (np.where(voxels_of() == 7, np.nan, 1.0), "NaN"),
        (np.where(voxels_of() == 7, np.inf, 1.0), "infinite"),
        (np.full(SHAPE, 5, np.int16), "every voxel is 5"),
    ],
)
def test_what_cannot_be_registered_is_refused(tmp_path, array, message):
    with pytest.raises(InputError, match=rf"a\.nii.*{message}"):
        read_image(save(tmp_path / "a.nii", array))


@pytest.mark.parametrize(
    "row", [[0, 0, 0, 1], [np.nan, 1, 0, 1], [np.inf, 0, 0, 1]], ids=str
)
def test_a_useless_affine_is_refused(tmp_path, row):
    path = save(tmp_path / "a.nii", voxels_of(), srow_x=row, sform_code=1)
    with pytest.raises(InputError, match=r"a\.nii.*affine must be finite"):
        read_image(path)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"no such file: .*a\.nii"):
        read_image(tmp_path / "a.nii")
