"""What reading and writing have in common: names, references, folders, promises."""

import subprocess
import sys

import numpy as np
import pytest
from itk_judge import points_within, random_parameters

from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.transforms import (
    TRANSFORM_SUFFIXES,
    Affine,
    Transform,
    read_transform,
    write_transform,
)

IMAGE = Image(np.zeros((6, 5, 7)), np.diag([2.0, 3.0, 1.0, 1.0]))


@pytest.fixture
def turn():
    matrix = np.eye(4)
    matrix[:2] = [[0.8, -0.6, 0, 3.3], [0.6, 0.8, 0, -1.7]]
    return Transform((Affine(matrix),))


@pytest.mark.parametrize("suffix", TRANSFORM_SUFFIXES)
def test_every_format_gives_the_same_transform_back(rng, tmp_path, turn, suffix):
    path = tmp_path / f"case.7_{suffix}"
    error = write_transform(path, turn, reference=IMAGE)
    assert path.is_file()
    points = points_within(rng, IMAGE)
    mapped = read_transform(path).map_points(points)
    np.testing.assert_allclose(mapped, turn.map_points(points), atol=1e-5)
    assert error < 1e-5
    assert all(".7_" in made.name for made in tmp_path.iterdir()), "a draft is left"


def test_a_path_may_be_text(tmp_path, turn):
    write_transform(str(tmp_path / "t.tfm"), turn)
    again = read_transform(str(tmp_path / "t.tfm"))
    np.testing.assert_array_equal(again.components[0].matrix, turn.components[0].matrix)


@pytest.mark.parametrize("name", ["t.xfm", "t", "t.mat", "t.npy", "t.NPZ", "t.gz"])
def test_unknown_names_are_refused_with_a_list_of_the_known(tmp_path, turn, name):
    path = tmp_path / name
    with pytest.raises(InputError, match=r"must end with \.npz, \.h5, .* or \.nrrd$"):
        write_transform(path, turn, reference=IMAGE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["t.xfm", "t", "t.npy", "t.gz"])
def test_unknown_names_are_not_read(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"anything")
    with pytest.raises(InputError, match=r"must end with \.npz, .* or \.aff12\.1D$"):
        read_transform(path)


@pytest.mark.parametrize("suffix", [*TRANSFORM_SUFFIXES, ".mat"])
def test_no_such_file(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    with pytest.raises(InputError, match=f"^no such file: {path}; give"):
        read_transform(path)
    path.mkdir()
    with pytest.raises(InputError, match=f"^no such file: {path}; give"):
        read_transform(path)


@pytest.mark.parametrize("suffix", [*TRANSFORM_SUFFIXES, ".mat"])
def test_empty_and_foreign_files_are_refused(tmp_path, suffix):
    path = tmp_path / f"t{suffix}"
    (tmp_path / "t0GenericAffine.mat").write_bytes(b"")  # the warp's partner
    for content in (b"", b"hello, this is no transform\n" * 40):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"can't be read as a") as caught:
            read_transform(path)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", TRANSFORM_SUFFIXES)
def test_a_reference_of_another_rank_is_refused(tmp_path, turn, suffix):
    flat = Image(np.zeros((4, 5)), np.eye(3))
    with pytest.raises(InputError, match=r"must be 3-d like .* shape is \(4, 5\)"):
        write_transform(tmp_path / f"t{suffix}", turn, reference=flat)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", TRANSFORM_SUFFIXES)
def test_a_folder_that_is_not_there_is_named(tmp_path, turn, suffix):
    path = tmp_path / "nowhere" / f"t{suffix}"
    with pytest.raises(InputError, match=r"nowhere.*: can't be written .*folder"):
        write_transform(path, turn, reference=IMAGE)


@pytest.mark.parametrize("suffix", TRANSFORM_SUFFIXES)
def test_an_old_file_stays_if_writing_fails(tmp_path, turn, monkeypatch, suffix):
    path = tmp_path / f"t{suffix}"
    write_transform(path, turn, reference=IMAGE)
    before = {made.name: made.read_bytes() for made in tmp_path.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(InputError, match=r"can't be written \(No space left"):
        write_transform(path, turn, reference=IMAGE)
    after = {made.name: made.read_bytes() for made in tmp_path.iterdir()}
    assert after == before


def test_what_itk_refuses_to_write_is_one_sentence(tmp_path, turn, monkeypatch):
    import SimpleITK as sitk

    def fail(*_):
        raise RuntimeError("Exception thrown\nITK ERROR: HDF5(0x1): the disk is full")

    monkeypatch.setattr(sitk, "WriteTransform", fail)
    for suffix in (".h5", "0GenericAffine.mat"):
        path = tmp_path / f"t{suffix}"
        with pytest.raises(InputError, match=r"t.*: can't be written .*disk is full"):
            write_transform(path, turn, reference=IMAGE)
        assert list(tmp_path.iterdir()) == []


def test_importing_transforms_imports_neither_simpleitk_nor_tensorflow():
    code = (
        "import sys; import dlir_tf.transforms; "
        "print({'tensorflow', 'keras', 'SimpleITK', 'h5py'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.stdout == "set()\n", done.stderr


def test_our_files_need_no_simpleitk(rng, tmp_path):
    """Nor do NIfTI fields."""
    transform = random_parameters(rng, 3, 1).ours()
    write_transform(tmp_path / "t.npz", transform)
    write_transform(tmp_path / "t.nii", transform, reference=IMAGE)
    code = (
        "import sys; from dlir_tf.transforms import read_transform\n"
        "for name in sys.argv[1:]: read_transform(name)\n"
        "print('SimpleITK' in sys.modules)"
    )
    names = [str(tmp_path / "t.npz"), str(tmp_path / "t.nii")]
    done = subprocess.run(
        [sys.executable, "-c", code, *names],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "False\n", done.stderr
