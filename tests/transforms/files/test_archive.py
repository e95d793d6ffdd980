"""Archives of arrays: what isn't one, and bombs, are found before memory is taken."""

import io
import os
import resource
import zipfile

import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.transforms import read_transform
from dlir_tf.transforms.files.archive import read_arrays

GOOD = {
    "format": "dlir-tf transform",
    "version": 1,
    "components": np.array(["affine"]),
    "0.matrix": np.eye(4),
}


def _bytes_of(value):
    stream = io.BytesIO()
    np.save(stream, value)
    return stream.getvalue()


def _save(path, packing=zipfile.ZIP_DEFLATED, **changes):
    """The good archive with other entries: arrays, plain bytes, or `None` for none."""
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, value in {**GOOD, **changes}.items():
            raw = value if isinstance(value, bytes) else _bytes_of(value)
            if value is not None:
                archive.writestr(f"{name}.npy", raw)
    return path


def test_the_good_one_is_read(tmp_path):
    arrays = read_arrays(_save(tmp_path / "t.npz"))
    assert set(arrays) == set(GOOD)
    points = np.array([[1.0, 2.0, 3.0]])
    moved = read_transform(tmp_path / "t.npz").map_points(points)
    np.testing.assert_array_equal(moved, points)


SINGULAR = np.diag([0.0, 1, 1, 1])
CLAIM = _bytes_of(np.zeros((2, 2)))


@pytest.mark.parametrize(
    "changes",
    [
        {"version": None},
        {"version": b"junk"},
        {"version": np.array([1, 1])},
        {"version": "one"},
        {"components": b"junk"},
        {"components": np.array([1])},
        {"components": np.array(5.0)},
        {"components": np.array([["affine"]])},
        {"0.matrix": b"junk"},
        {"0.matrix": b""},
        {"0.matrix": CLAIM.replace(b"(2, 2)", b"(2, 9)")},
        {"0.matrix": CLAIM.replace(b"(2, 2)", b"(2,-2)")},
        {"0.matrix": CLAIM.replace(b"<f8", b"|O8")},
        {"components": np.array(["inverse " * 5000 + "affine"])},
        {
            "components": np.array(["bspline"]),
            "0.control_points": np.zeros((4, 4, 4, 3)),
            "0.lattice": SINGULAR,
        },
        {
            "components": np.array(["dense_field"]),
            "0.displacement": np.zeros((4, 4, 4, 3)),
            "0.affine": SINGULAR,
        },
    ],
)
def test_what_is_no_transform_is_one_sentence(tmp_path, changes):
    path = _save(tmp_path / "t.npz", **changes)
    with pytest.raises(InputError, match=r"t\.npz: ") as caught:
        read_transform(path)
    assert "\n" not in str(caught.value)


def test_a_bomb_is_not_unpacked(tmp_path):
    """300 MB of zeros in 300 kB; a real field packs two or three times."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = tmp_path / "t.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("0.displacement.npy", "w", force_zip64=True) as stream,
    ):
        for _ in range(300):
            stream.write(bytes(1 << 20))
    with pytest.raises(
        InputError, match=r"would unpack to 3145\d+ bytes, more than 50"
    ):
        read_transform(path)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 100_000  # kilobytes


def test_other_packings_are_refused(tmp_path):
    path = _save(tmp_path / "t.npz", zipfile.ZIP_LZMA)
    with pytest.raises(InputError, match="another method than deflate"):
        read_transform(path)


@pytest.mark.parametrize("ending", ["npz", "h5", "tfm", "mat", "nii.gz", "nrrd", "mha"])
def test_a_pipe_in_place_of_a_transform_is_refused(tmp_path, ending):
    os.mkfifo(tmp_path / f"t.{ending}")
    with pytest.raises(
        InputError, match=rf"t\.{ending}: must be a readable file, but is a pip"
    ):
        read_transform(tmp_path / f"t.{ending}")


@pytest.mark.parametrize("name", ["t0GenericAffine.mat", "t1Warp.nii.gz"])
def test_a_pipe_in_ants_pair_is_refused(tmp_path, name):
    os.mkfifo(tmp_path / name)
    for given in ("t0GenericAffine.mat", "t1Warp.nii.gz"):
        with pytest.raises(InputError, match=r"t[01].*: |no such file"):
            read_transform(tmp_path / given)
