"""MetaImage and NRRD: SimpleITK is the judge of what is written and what is read."""

import os
import resource
import signal
import subprocess
import sys
import warnings

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from dlir_tf.errors import InputError
from dlir_tf.images import (
    WRITABLE_SUFFIXES,
    Image,
    read_image,
    read_labels,
    read_labels_of,
    write_image,
)

SHAPE = (5, 7, 4)
PLANE = np.array([[0.0, -0.8, 11.0], [1.5, 0.0, -7.0], [0.0, 0.0, 1.0]])
ITK_SUFFIXES = (".mha", ".mhd", ".nrrd", ".nhdr")


def _oblique(handedness=-1.0):
    """An oblique affine, anisotropic; left-handed unless told otherwise."""
    a, b = 0.4, -0.3
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ tilt @ np.diag([1.5, handedness * 0.8, 4.0])
    affine[:3, 3] = [-31.0, 12.5, 70.0]
    return affine


def _sheared():
    affine = _oblique()
    affine[0, 1] += 0.5
    return affine


def _voxels(shape=SHAPE, dtype=np.int16, seed=0):
    return np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)


def _to_lps(points):
    return np.asarray(points) * ([-1, -1, 1][: np.shape(points)[-1]])


def _itk_image(array, affine):
    """By SimpleITK's own methods, independent of the package."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.T))
    columns = affine[:-1, :-1]
    spacing = np.linalg.norm(columns, axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection(_to_lps((columns / spacing).T).T.ravel().tolist())
    image.SetOrigin(_to_lps(affine[:-1, -1]).tolist())
    return image


def _assert_itk_sees(path, array, affine):
    image = sitk.ReadImage(str(path))
    for index in np.ndindex(array.shape):
        assert image[index] == array[index]
        point = _to_lps(image.TransformIndexToPhysicalPoint(index))
        np.testing.assert_allclose(point, (affine @ [*index, 1])[:-1], atol=1e-4)


@pytest.mark.parametrize("suffix", WRITABLE_SUFFIXES)
@pytest.mark.parametrize(
    ("shape", "affine"),
    [(SHAPE, _oblique()), (SHAPE, _oblique(1.0)), ((5, 7), PLANE)],
    ids=["left-handed", "right-handed", "2d"],
)
def test_itk_sees_the_same_voxels_in_the_same_place(tmp_path, suffix, shape, affine):
    image = Image(_voxels(shape), affine)
    path = tmp_path / f"a{suffix}"
    write_image(path, image)
    _assert_itk_sees(path, image.array, affine)
    back = read_image(path)
    np.testing.assert_array_equal(back.array, image.array)
    np.testing.assert_allclose(back.affine, affine, atol=1e-5)
    assert back.array.dtype == np.int16
    assert (back.header is None) == (suffix in ITK_SUFFIXES)


@pytest.mark.parametrize("suffix", [*ITK_SUFFIXES, ".MHA", ".Nrrd"])
@pytest.mark.parametrize(
    ("shape", "affine"), [(SHAPE, _oblique()), ((5, 7), PLANE)], ids=["3d", "2d"]
)
def test_what_itk_wrote_is_read(tmp_path, suffix, shape, affine):
    path = tmp_path / f"a{suffix}"
    small = tmp_path / f"a{suffix.lower()}"
    sitk.WriteImage(_itk_image(_voxels(shape), affine), str(small))
    small.rename(path)
    image = read_image(path)
    np.testing.assert_array_equal(image.array, _voxels(shape))
    np.testing.assert_allclose(image.affine, affine, atol=1e-9)
    assert image.ndim == len(shape)


@pytest.mark.parametrize("suffix", ITK_SUFFIXES)
@pytest.mark.parametrize(
    "dtype", [np.uint8, np.int8, np.uint16, np.int64, np.float32, np.float64]
)
def test_dtypes_are_kept(tmp_path, suffix, dtype):
    path = tmp_path / f"a{suffix}"
    write_image(path, Image(_voxels(dtype=dtype), _oblique()))
    assert read_image(path).array.dtype == dtype
    np.testing.assert_array_equal(read_image(path).array, _voxels(dtype=dtype))


def test_what_itk_has_no_type_for_gets_the_next_one(tmp_path):
    path = tmp_path / "a.mha"
    for dtype, stored in (
        (bool, np.uint8),
        (np.float16, np.float32),
        (np.longdouble, np.float64),
    ):
        write_image(path, Image(_voxels(dtype=dtype), _oblique()))
        assert read_image(path).array.dtype == stored
    write_image(path, Image(_voxels() - 50.0, _oblique()), dtype=np.uint8)
    np.testing.assert_array_equal(
        read_image(path).array, np.clip(_voxels() - 50, 0, None)
    )


@pytest.mark.parametrize("suffix", ITK_SUFFIXES)
def test_shear_survives(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_image(path, Image(_voxels(), _sheared()))
    _assert_itk_sees(path, _voxels(), _sheared())
    np.testing.assert_allclose(read_image(path).affine, _sheared(), atol=1e-9)


def _write_nrrd(path, fields, array, encoding="raw"):
    sizes = " ".join(map(str, array.shape))
    text = (
        f"NRRD0005\ntype: int16\ndimension: {array.ndim}\nsizes: {sizes}\n"
        f"endian: little\nencoding: {encoding}\n{fields}\n\n"
    )
    path.write_bytes(text.encode() + array.astype("<i2").tobytes(order="F"))
    return path


def test_the_world_that_a_nrrd_file_names(tmp_path):
    path = tmp_path / "a.nrrd"
    directions = "space directions: (1.5,0,0) (0,0.8,0) (0,0,4)\nspace origin: (1,2,3)"
    ras = np.diag([1.5, 0.8, 4, 1])
    ras[:3, 3] = [1, 2, 3]
    lps = np.diag([-1, -1, 1, 1]) @ ras
    for space, expected in (
        ("right-anterior-superior", ras),
        ("left-posterior-superior", lps),
        ("left-anterior-superior", np.diag([-1, 1, 1, 1]) @ ras),
    ):
        _write_nrrd(path, f"space: {space}\n{directions}", _voxels())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            np.testing.assert_allclose(read_image(path).affine, expected)
    _write_nrrd(path, f"space: scanner-xyz\n{directions}", _voxels())
    with pytest.warns(UserWarning, match=r"a\.nrrd.*scanner-xyz"):
        np.testing.assert_allclose(read_image(path).affine, lps)


@pytest.mark.parametrize("suffix", [".mhd", ".nhdr"])
def test_two_files_are_both_there_or_neither(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    voxels = tmp_path / {".mhd": "a.zraw", ".nhdr": "a.raw.gz"}[suffix]
    write_image(path, Image(_voxels(), _oblique()))
    assert sorted(tmp_path.iterdir()) == sorted([path, voxels])
    before = path.read_bytes(), voxels.read_bytes()
    other = tmp_path / f"b{suffix}"
    blocked = tmp_path / voxels.name.replace("a", "b", 1)
    blocked.mkdir()
    with pytest.raises(InputError, match=rf"{blocked.name}: can't be written .*folder"):
        write_image(other, Image(_voxels(seed=1), _oblique()))
    blocked.rmdir()
    path.rename(tmp_path / "kept")
    path.mkdir()
    with pytest.raises(InputError, match=rf"a\{suffix}: can't be written .*folder"):
        write_image(path, Image(_voxels(seed=1), _oblique()))
    path.rmdir()
    (tmp_path / "kept").rename(path)
    assert sorted(tmp_path.iterdir()) == sorted([path, voxels])
    assert (path.read_bytes(), voxels.read_bytes()) == before


def _limit_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))


@pytest.mark.parametrize("suffix", WRITABLE_SUFFIXES)
def test_a_full_disk_leaves_nothing_half_written(tmp_path, suffix):
    program = (
        "import sys, numpy as np\n"
        "from dlir_tf.errors import InputError\n"
        "from dlir_tf.images import Image, write_image\n"
        "rng = np.random.default_rng(0)\n"
        "image = Image(rng.integers(0, 9999, (60, 70, 40), 'int16'), np.eye(4))\n"
        "try:\n    write_image(sys.argv[1], image)\n"
        "except InputError as error:\n    print(error)\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / f"a{suffix}")],
        capture_output=True,
        text=True,
        check=True,
        preexec_fn=_limit_files,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert "can't be written (File too large): the disk is full" in run.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", ITK_SUFFIXES)
@pytest.mark.parametrize("compressed", [True, False])
def test_damaged_files_are_refused(tmp_path, suffix, compressed, capfd):
    path = tmp_path / f"a{suffix}"
    image = _itk_image(_voxels((20, 21, 22)), _oblique())
    sitk.WriteImage(image, str(path), compressed)
    largest = max(tmp_path.iterdir(), key=lambda p: p.stat().st_size)
    raw = largest.read_bytes()
    for part in (raw[:-50], raw[:30], b""):
        largest.write_bytes(part)
        with pytest.raises(InputError, match=r"a\..*can't be read as an image \(.+\)"):
            read_image(path)
    if largest != path:
        largest.unlink()
        with pytest.raises(InputError, match="can't be read as an image"):
            read_image(path)
    path.write_bytes(b"this is no image" * 30)
    with pytest.raises(InputError, match=r"can't be read as an image"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
@pytest.mark.parametrize("shape", [SHAPE, (5, 7)], ids=["3d", "2d"])
def test_vectors_are_refused(tmp_path, suffix, shape):
    vectors = _voxels((*shape[::-1], 3), np.int16)
    path = tmp_path / f"a{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(vectors, isVector=True), str(path))
    with pytest.raises(InputError, match=rf"a\{suffix}.*3 numbers each of type int16"):
        read_image(path)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.where(_voxels() == 7, np.nan, 1.0), "NaN"),
        (np.full(SHAPE, 5, np.int16), "every voxel is 5"),
        (_voxels((*SHAPE, 6)), r"\(5, 7, 4, 6\), 6 volumes or channels"),
    ],
    ids=["nan", "constant", "time"],
)
@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_what_cannot_be_registered_is_refused(tmp_path, suffix, array, message):
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.T), isVector=False)
    sitk.WriteImage(image, str(tmp_path / f"a{suffix}"))
    with pytest.raises(InputError, match=rf"a\{suffix}.*{message}"):
        read_image(tmp_path / f"a{suffix}")


def test_labels_may_be_in_another_format_than_their_image(tmp_path):
    write_image(tmp_path / "a.nii.gz", Image(_voxels(), _oblique()))
    write_image(tmp_path / "l.seg.nrrd", Image(_voxels(seed=1), _oblique()))
    image = read_image(tmp_path / "a.nii.gz")
    labels = read_labels_of(tmp_path / "l.seg.nrrd", image)
    np.testing.assert_array_equal(labels.array, _voxels(seed=1))
    elsewhere = _oblique()
    elsewhere[0, 3] += 1
    write_image(tmp_path / "m.mha", Image(_voxels(seed=1), elsewhere))
    with pytest.raises(InputError, match=r"m\.mha.*elsewhere"):
        read_labels_of(tmp_path / "m.mha", image)
    assert read_labels(tmp_path / "m.mha").array.dtype == np.int16


@pytest.mark.parametrize("mat", [True, False])
def test_analyze_goes_by_its_convention_and_by_spm(tmp_path, mat):
    """Mayo's definition: from right to left, from posterior to anterior."""
    affine = np.diag([-1.5, 0.8, 4, 1])
    affine[:3, 3] = [10, -20, 30]
    path = tmp_path / "a.img"
    nib.save(nib.Spm99AnalyzeImage(_voxels(), affine), path)
    if not mat:
        (tmp_path / "a.mat").unlink()
        affine[:3, 3] = -(affine[:3, :3] @ ((np.array(SHAPE) - 1) / 2))
    for name in ("a.img", "a.hdr"):
        with pytest.warns(UserWarning, match=rf"{name}.*where left is"):
            image = read_image(tmp_path / name)
        np.testing.assert_array_equal(image.array, _voxels())
        np.testing.assert_allclose(image.affine, affine, atol=1e-5)
        assert image.header is None


@pytest.mark.parametrize("name", ["a.img", "a.hdr"])
def test_analyze_is_not_written(tmp_path, name):
    with pytest.raises(InputError, match=rf"{name}: Analyze.*\.nii\.gz.*\.nhdr"):
        write_image(tmp_path / name, Image(_voxels(), _oblique()))
    assert list(tmp_path.iterdir()) == []


def test_simpleitk_is_imported_only_when_a_file_needs_it():
    program = (
        "import sys, dlir_tf.images; assert 'SimpleITK' not in sys.modules, 'imported'"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
