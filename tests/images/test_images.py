"""Images: what is written comes back, ITK agrees on the world, faults are named."""

import errno
import gzip
import warnings

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk

from dlir_tf.errors import InputError
from dlir_tf.images import (
    Image,
    SpacingWarning,
    flip_ras_lps,
    read_image,
    read_labels,
    read_labels_of,
    read_points,
    write_displacement,
    write_image,
)

SHAPE = (5, 7, 4)


def _oblique(spacing=(1.5, 0.8, 4.0)):
    """An oblique affine with one flipped axis."""
    a, b = 0.4, -0.3
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ tilt @ np.diag([1, -1, 1]) @ np.diag(spacing)
    affine[:3, 3] = [-31.0, 12.5, 70.0]
    return affine


AFFINE_2D = np.array([[0.0, -0.8, 11.0], [1.5, 0.0, -7.0], [0.0, 0.0, 1.0]])
TILTED_2D = np.array([[1.2, 0, 0, 3], [0, 0, 1, 4], [0, 2, 0, 5], [0, 0, 0, 1.0]])


def _voxels(shape=SHAPE, dtype=np.int16, seed=0):
    return np.random.default_rng(seed).integers(0, 100, shape).astype(dtype)


def _save(path, array, affine=None, **fields):
    """A file by nibabel, with header fields set behind its back."""
    image = nib.Nifti1Image(array, _oblique() if affine is None else affine)
    slope, inter = fields.pop("slope", None), fields.pop("inter", None)
    nib.save(image, path)
    raw = bytearray(path.read_bytes())
    header = image.header.copy()
    header["vox_offset"] = 352
    for name, value in fields.items():
        header[name] = value
    if slope is not None:
        header["scl_slope"], header["scl_inter"] = slope, inter
    raw[:348] = header.binaryblock
    path.write_bytes(raw)
    return path


def _itk_affine(path):
    """ITK's idea of a file's voxel-to-world matrix, turned to RAS."""
    image = sitk.ReadImage(str(path))
    ndim = image.GetDimension()
    affine = np.eye(ndim + 1)
    direction = np.reshape(image.GetDirection(), (ndim, ndim))
    affine[:-1, :-1] = direction * image.GetSpacing()
    affine[:-1, -1] = image.GetOrigin()
    affine[:2] *= -1
    return affine


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_an_image_comes_back_as_it_was_written(tmp_path, suffix, dtype):
    image = Image(_voxels(dtype=dtype), _oblique())
    write_image(tmp_path / f"a{suffix}", image)
    back = read_image(tmp_path / f"a{suffix}")
    assert back.array.dtype == dtype
    assert back.ndim == 3
    assert back.shape == SHAPE
    np.testing.assert_array_equal(back.array, image.array)
    np.testing.assert_allclose(back.affine, image.affine, atol=1e-5)
    assert back.spacing == pytest.approx((1.5, 0.8, 4.0), rel=1e-6)
    assert [p.name for p in tmp_path.iterdir()] == [f"a{suffix}"]


def test_itk_sees_the_same_world(tmp_path):
    write_image(tmp_path / "a.nii.gz", Image(_voxels(), _oblique()))
    np.testing.assert_allclose(
        _itk_affine(tmp_path / "a.nii.gz"), _oblique(), atol=1e-4
    )
    header = nib.load(tmp_path / "a.nii.gz").header
    np.testing.assert_allclose(header.get_zooms(), (1.5, 0.8, 4.0), rtol=1e-6)
    np.testing.assert_allclose(header.get_qform(), _oblique(), atol=1e-4)
    assert header.get_xyzt_units()[0] == "mm"


def test_2d_image_stays_2d(tmp_path):
    image = Image(_voxels((5, 7)), AFFINE_2D)
    write_image(tmp_path / "a.nii", image)
    back = read_image(tmp_path / "a.nii")
    assert back.ndim == 2
    assert back.shape == (5, 7)
    np.testing.assert_allclose(back.affine, AFFINE_2D, atol=1e-6)
    assert back.spacing == pytest.approx((1.5, 0.8))
    np.testing.assert_allclose(_itk_affine(tmp_path / "a.nii"), AFFINE_2D, atol=1e-5)


def test_2d_image_keeps_the_third_coordinate_of_its_plane(tmp_path):
    affine = np.eye(4)
    affine[np.ix_([0, 1, 3], [0, 1, 3])], affine[2, 3] = AFFINE_2D, -42.0
    image = read_image(_save(tmp_path / "a.nii", _voxels((5, 7)), affine))
    write_image(tmp_path / "b.nii", image)
    np.testing.assert_allclose(nib.load(tmp_path / "b.nii").affine, affine, atol=1e-6)


def test_tilted_2d_image_gets_a_frame_of_its_spacings(tmp_path):
    path = _save(tmp_path / "a.nii", _voxels((5, 7)), TILTED_2D)
    with pytest.warns(UserWarning, match=r"a\.nii.*tilted"):
        image = read_image(path)
    np.testing.assert_allclose(image.affine, np.diag([1.2, 2.0, 1.0]), rtol=1e-6)
    write_image(tmp_path / "b.nii", image)  # its plane isn't lost in the file
    np.testing.assert_allclose(
        nib.load(tmp_path / "b.nii").affine, TILTED_2D, atol=1e-6
    )


@pytest.mark.parametrize(
    ("shape", "kept"), [((5, 7, 4, 1), (5, 7, 4)), ((5, 7, 1), (5, 7, 1))]
)
def test_only_a_trailing_fourth_axis_is_dropped(tmp_path, shape, kept):
    assert read_image(_save(tmp_path / "a.nii", _voxels(shape))).shape == kept


@pytest.mark.parametrize("image_class", [nib.Nifti2Image, nib.MGHImage, nib.Nifti1Pair])
def test_other_formats_of_nibabel(tmp_path, image_class):
    suffix = {nib.MGHImage: ".mgz", nib.Nifti1Pair: ".img"}.get(image_class, ".nii.gz")
    image = image_class(_voxels(), _oblique())
    nib.save(image, tmp_path / f"a{suffix}")
    back = read_image(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(back.array, _voxels())
    np.testing.assert_allclose(back.affine, _oblique(), atol=1e-4)
    write_image(tmp_path / "b.nii.gz", back)
    np.testing.assert_allclose(
        read_image(tmp_path / "b.nii.gz").affine, _oblique(), atol=1e-4
    )


def test_slope_and_intercept_give_float32(tmp_path):
    path = _save(tmp_path / "a.nii", _voxels(), slope=0.5, inter=-10.0)
    image = read_image(path)
    assert image.array.dtype == np.float32
    np.testing.assert_array_equal(image.array, 0.5 * _voxels() - 10)
    write_image(path, image)  # the slope must not be applied twice
    np.testing.assert_array_equal(read_image(path).array, 0.5 * _voxels() - 10)


def test_big_endian_file_gives_native_voxels(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    nib.save(nib.Nifti1Image(_voxels(), _oblique(), header), tmp_path / "a.nii")
    image = read_image(tmp_path / "a.nii")
    assert image.array.dtype.isnative
    write_image(tmp_path / "b.nii", image)
    np.testing.assert_array_equal(read_image(tmp_path / "b.nii").array, _voxels())


def test_metres_and_microns_become_mm(tmp_path):
    path = _save(tmp_path / "a.nii", _voxels(), xyzt_units=3)
    image = read_image(path)
    assert image.spacing == pytest.approx((0.0015, 0.0008, 0.004))
    np.testing.assert_allclose(_itk_affine(path), image.affine, atol=1e-6)
    write_image(tmp_path / "b.nii", image)
    np.testing.assert_allclose(
        read_image(tmp_path / "b.nii").affine, image.affine, atol=1e-7
    )


def _unit_affine(tmp_path):
    """Like ACDC: directions and origin in the affine, the spacing in pixdim."""
    affine = _oblique((1, 1, 1))
    pixdim = [1, 1.5, 0.8, 4, 1, 1, 1, 1]
    return _save(tmp_path / "a.nii", _voxels(), affine, pixdim=pixdim, qform_code=0)


def test_pixdim_wins_over_the_affine_and_it_warns(tmp_path):
    path = _unit_affine(tmp_path)
    with pytest.warns(SpacingWarning) as caught:
        image = read_image(path)
    message = str(caught[0].message)
    assert len(caught) == 1
    assert all(part in message for part in (str(path), "1 x 1 x 1", "1.5 x 0.8 x 4"))
    assert "(--spacing-source, or spacing_source in Python" in message
    np.testing.assert_allclose(image.affine, _oblique(), atol=1e-5)
    np.testing.assert_allclose(_itk_affine(path), image.affine, atol=1e-4)
    write_image(tmp_path / "b.nii", image)  # the mended file reads without a warning
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(
            read_image(tmp_path / "b.nii").affine, image.affine, atol=1e-5
        )


@pytest.mark.parametrize(
    ("source", "spacing"), [("affine", (1, 1, 1)), ("pixdim", (1.5, 0.8, 4))]
)
def test_a_forced_spacing_source_is_silent(tmp_path, source, spacing):
    path = _unit_affine(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read_image(path, spacing_source=source)
        labels = read_labels(path, spacing_source=source)
    np.testing.assert_allclose(image.affine, _oblique(spacing), atol=1e-5)
    assert labels.spacing == pytest.approx(spacing, rel=1e-6)


def test_pixdim_that_was_never_filled_in_loses(tmp_path):
    path = _save(tmp_path / "a.nii", _voxels(), pixdim=[1, *[0] * 7], qform_code=0)
    with pytest.warns(SpacingWarning, match=r"1 x 1 x 1 mm; took the affine"):
        image = read_image(path)
    np.testing.assert_allclose(image.affine, _oblique(), atol=1e-5)
    assert read_image(path, spacing_source="pixdim").spacing == pytest.approx([1] * 3)
    pixdim = [1, np.nan, 0.8, 4, 1, 1, 1, 1]
    path = _save(tmp_path / "b.nii", _voxels(), pixdim=pixdim, qform_code=0)
    with pytest.raises(InputError, match="pixdim must be positive"):
        read_image(path, spacing_source="pixdim")
    with pytest.raises(InputError, match=r"auto, affine or pixdim.*'header'"):
        read_image(path, spacing_source="header")


def test_no_orientation_is_worth_a_warning(tmp_path):
    path = _save(tmp_path / "a.nii", _voxels(), sform_code=0, qform_code=0)
    with pytest.warns(UserWarning, match="no orientation"):
        image = read_image(path)
    write_image(tmp_path / "b.nii", image)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(
            read_image(tmp_path / "b.nii").affine, image.affine, atol=1e-5
        )


def test_writing_copies_the_header_but_not_its_dtype_or_scaling(tmp_path):
    path = _save(
        tmp_path / "a.nii",
        _voxels(),
        descrip=b"cine",
        qform_code=0,
        sform_code=4,
        xyzt_units=2 | 16,
        slope=2.0,
        inter=1.0,
    )
    moved = read_image(path).with_array(_voxels(dtype=np.float32) + 0.25)
    write_image(tmp_path / "b.nii", moved)
    header = nib.load(tmp_path / "b.nii").header
    assert header["descrip"] == b"cine"
    assert header["sform_code"] == 4
    assert header["qform_code"] == 0
    assert header.get_xyzt_units() == ("mm", "msec")
    back = read_image(tmp_path / "b.nii")
    assert back.array.dtype == np.float32
    np.testing.assert_array_equal(back.array, moved.array)


def test_a_sheared_affine_survives(tmp_path):
    affine = _oblique()
    affine[0, 1] += 0.5
    with pytest.warns(UserWarning, match=r"a\.nii.*perpendicular.*\.nrrd"):
        write_image(tmp_path / "a.nii", Image(_voxels(), affine))
    with pytest.raises(RuntimeError, match="orthonormal"):
        sitk.ReadImage(str(tmp_path / "a.nii"))
    np.testing.assert_allclose(read_image(tmp_path / "a.nii").affine, affine, atol=1e-5)
    assert nib.load(tmp_path / "a.nii").header["qform_code"] == 0


def test_integers_are_rounded_and_clipped_never_wrapped(tmp_path):
    values = np.array([[-3.7, 0.6, 254.4], [255.5, 1e9, 1.5]], np.float32)
    write_image(tmp_path / "a.nii", Image(values, np.eye(3)), dtype=np.uint8)
    np.testing.assert_array_equal(
        read_image(tmp_path / "a.nii").array, [[0, 1, 254], [255, 255, 2]]
    )
    wide = Image(np.array([[-40000, 7], [40000, 255]]), np.eye(3))
    write_image(tmp_path / "b.nii", wide, dtype="int16")
    np.testing.assert_array_equal(
        read_image(tmp_path / "b.nii").array, [[-32768, 7], [32767, 255]]
    )
    mask = Image(np.array([[True, False]]), np.eye(3))
    write_image(tmp_path / "c.nii", mask)
    assert read_labels(tmp_path / "c.nii").array.dtype == np.uint8
    nan = Image(np.array([[np.nan, 1]]), np.eye(3))
    with pytest.raises(InputError, match=r"NaN.*uint8"):
        write_image(tmp_path / "d.nii", nan, dtype=np.uint8)
    assert not (tmp_path / "d.nii").exists()


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    image = Image(_voxels(), _oblique())
    path = tmp_path / "a.nii.gz"
    write_image(path, image)
    before = path.read_bytes()

    def fill_the_disk(self, name):
        name.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(nib.Nifti1Image, "to_filename", fill_the_disk)
    with pytest.raises(InputError, match=r"a\.nii\.gz.*No space left"):
        write_image(path, image)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_unusable_names_are_refused(tmp_path):
    image = Image(_voxels(), _oblique())
    with pytest.raises(InputError, match=r"a\.png.*\.nii\.gz, .*\.mha.* or "):
        write_image(tmp_path / "a.png", image)
    with pytest.raises(InputError, match=r"missing.*can't be written"):
        write_image(tmp_path / "missing" / "a.nii", image)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="can't be written"):
        write_image(tmp_path / "file" / "a.nii", image)
    (tmp_path / "folder.nii").mkdir()
    with pytest.raises(InputError, match="can't be written"):
        write_image(tmp_path / "folder.nii", image)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "folder.nii"]


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("keep", [0.0, 0.02, 0.5, 0.9])
def test_truncated_files_are_refused(tmp_path, suffix, keep):
    path = tmp_path / f"a{suffix}"
    nib.save(nib.Nifti1Image(_voxels((20, 21, 22)), _oblique()), path)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(keep * len(raw))])
    with pytest.raises(InputError, match="can't be read as an image"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".mgh", ".mgz"])
def test_damaged_mgh_files_are_refused_in_one_sentence(tmp_path, caplog, suffix):
    path = tmp_path / f"a{suffix}"
    nib.save(nib.MGHImage(_voxels(), _oblique()), tmp_path / "whole.mgh")
    raw = (tmp_path / "whole.mgh").read_bytes()
    damaged = [raw[:keep] for keep in (0, 3, 20, 50, 100, 283, 290)]
    damaged += [raw[:at] + b"\x77" + raw[at + 1 :] for at in (0, 3, 20, 22, 23)]
    for data in damaged:
        path.write_bytes(gzip.compress(data) if suffix == ".mgz" else data)
        with pytest.raises(InputError, match=r"a\.mg.: "):
            read_image(path)
    header = bytearray(_save(tmp_path / "a.nii", _voxels()).read_bytes())
    header[70:72] = b"\x77\x77"  # a dtype that nibabel logs as well as raises
    (tmp_path / "a.nii").write_bytes(header)
    with pytest.raises(InputError, match="can't be read as an image"):
        read_image(tmp_path / "a.nii")
    assert not caplog.records


def test_corrupted_gzip_is_refused(tmp_path):
    path = tmp_path / "a.nii.gz"
    content = _save(tmp_path / "a.nii", _voxels((20, 21, 22))).read_bytes()
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
    raw = _save(tmp_path / "a.nii", _voxels()).read_bytes()
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


def _rgb():
    return np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (_rgb(), "colours"),
        (np.zeros(SHAPE, np.complex64), "complex64"),
        (_voxels((*SHAPE, 6)), r"\(5, 7, 4, 6\), 6 volumes or channels"),
        (_voxels((*SHAPE, 1, 3)), r"\(5, 7, 4, 1, 3\), 3 volumes or channels"),
        (_voxels((9,)), r"2 or 3 spatial axes.*\(9,\)"),
        (np.where(_voxels() == 7, np.nan, 1.0), "NaN"),
        (np.where(_voxels() == 7, np.inf, 1.0), "infinite"),
        (np.full(SHAPE, 5, np.int16), "every voxel is 5"),
    ],
)
def test_what_cannot_be_registered_is_refused(tmp_path, array, message):
    with pytest.raises(InputError, match=rf"a\.nii.*{message}"):
        read_image(_save(tmp_path / "a.nii", array))


@pytest.mark.parametrize(
    "row", [[0, 0, 0, 1], [np.nan, 1, 0, 1], [np.inf, 0, 0, 1]], ids=str
)
def test_a_useless_affine_is_refused(tmp_path, row):
    path = _save(tmp_path / "a.nii", _voxels(), srow_x=row, sform_code=1)
    with pytest.raises(InputError, match=r"a\.nii.*affine must be finite"):
        read_image(path)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"no such file: .*a\.nii"):
        read_image(tmp_path / "a.nii")


def test_labels_are_integers(tmp_path):
    values = _voxels(dtype=np.float32)
    labels = read_labels(_save(tmp_path / "a.nii", values))
    assert labels.array.dtype == np.int32
    np.testing.assert_array_equal(labels.array, values)
    assert read_labels(_save(tmp_path / "b.nii", _voxels())).array.dtype == np.int16
    values[1, 2, 3] = 0.5
    with pytest.raises(InputError, match=r"a\.nii.*1 voxels aren't, such as 0\.5"):
        read_labels(_save(tmp_path / "a.nii", values))
    assert not read_labels(_save(tmp_path / "c.nii", 0 * _voxels())).array.any()
    with pytest.raises(InputError, match=r"4 volumes or channels"):
        read_labels(_save(tmp_path / "d.nii", _voxels((*SHAPE, 4))))


def test_of_overlapping_structures_the_first_is_read_and_that_is_said(tmp_path):
    """Prostates come like this: the gland first, then landmarks inside it."""
    structures = np.zeros((*SHAPE, 3))
    structures[1:4, 2:6, :, 0] = 1
    structures[2, 3, 1, 1] = structures[3, 4, 2, 2] = 1
    path = _save(tmp_path / "a.nii", structures)
    with pytest.warns(UserWarning, match=r"a\.nii: has 3 volumes .* only the first"):
        labels = read_labels(path)
    np.testing.assert_array_equal(labels.array, structures[..., 0])
    assert labels.array.dtype == np.int32
    image = read_image(_save(tmp_path / "image.nii", _voxels()))
    with pytest.warns(UserWarning, match="only the first"):
        assert read_labels_of(path, image).shape == SHAPE
    with pytest.raises(InputError, match="3 volumes or channels"):
        read_image(path)
    structures[0, 0, 0, 1] = 2
    with pytest.raises(InputError, match="3 volumes or channels"):
        read_labels(_save(tmp_path / "b.nii", structures))


def _labels_at(tmp_path, affine, **fields):
    return _save(tmp_path / "labels.nii", _voxels(seed=1), affine, **fields)


def test_labels_must_lie_on_their_image(tmp_path):
    image = read_image(_save(tmp_path / "a.nii", _voxels()))
    for voxels, lies_there in ((0.0, True), (0.45, True), (0.55, False)):
        shifted = _oblique()
        shifted[:3, 3] += voxels * shifted[:3, 1]  # the axis of the smallest spacing
        path = _labels_at(tmp_path, shifted)
        if lies_there:
            labels = read_labels_of(path, image)
            np.testing.assert_array_equal(labels.affine, image.affine)
            np.testing.assert_array_equal(labels.array, _voxels(seed=1))
        else:
            with pytest.raises(
                InputError, match=r"labels\.nii: .*elsewhere.* 0\.44 mm"
            ):
                read_labels_of(path, image)
    flipped = _oblique() @ np.diag([-1, 1, 1, 1])
    flipped[:3, 3] += 4 * _oblique()[:3, 0]  # the same place, other voxels
    with pytest.raises(InputError, match="elsewhere"):
        read_labels_of(_labels_at(tmp_path, flipped), image)
    other = _save(tmp_path / "b.nii", _voxels((5, 7, 3)))
    with pytest.raises(InputError, match=r"\(5, 7, 4\).*Received: \(5, 7, 3\)"):
        read_labels_of(other, image)


def test_labels_without_orientation_go_by_their_shape(tmp_path):
    image = read_image(_save(tmp_path / "a.nii", _voxels()))
    path = _labels_at(tmp_path, np.eye(4), sform_code=0, qform_code=0)
    with pytest.warns(UserWarning, match="no orientation"):
        labels = read_labels_of(path, image)
    np.testing.assert_array_equal(labels.affine, image.affine)


@pytest.mark.filterwarnings("ignore::dlir_tf.images.SpacingWarning")
def test_the_spacing_rule_holds_for_labels_as_for_their_image(tmp_path):
    path = _unit_affine(tmp_path)
    read_labels_of(path, read_image(path))
    by_affine = read_image(path, spacing_source="affine")
    with pytest.raises(InputError, match="elsewhere"):
        read_labels_of(path, by_affine)
    labels = read_labels_of(path, by_affine, spacing_source="affine")
    assert labels.spacing == pytest.approx((1, 1, 1))


def test_image_checks_and_never_mutates():
    affine = _oblique()
    image = Image(_voxels(), affine)
    affine[:] = 0
    np.testing.assert_array_equal(image.affine, _oblique())
    other = image.with_array(_voxels(seed=1))
    np.testing.assert_array_equal(image.array, _voxels())
    np.testing.assert_array_equal(other.affine, image.affine)
    with pytest.raises(ValueError, match="shape"):
        image.with_array(_voxels((2, 3, 4)))
    with pytest.raises(ValueError, match="3x3"):
        Image(_voxels((5, 7)), _oblique())


def _fields():
    rng = np.random.default_rng(2)
    volume, plane = rng.normal(0, 5, (*SHAPE, 3)), rng.normal(0, 5, (5, 7, 2))
    return [(volume, _oblique()), (plane, AFFINE_2D)]


@pytest.mark.parametrize(("ddf", "affine"), _fields(), ids=["3d", "2d"])
def test_itk_moves_points_by_the_written_displacement(tmp_path, ddf, affine):
    before = ddf.copy()
    write_displacement(tmp_path / "u.nii.gz", ddf, affine)
    np.testing.assert_array_equal(ddf, before)
    raw = nib.load(tmp_path / "u.nii.gz")
    ndim = ddf.shape[-1]
    assert raw.shape == (*ddf.shape[:-1], *[1] * (4 - ndim), ndim)
    assert raw.header.get_intent()[0] == "vector"
    assert raw.get_data_dtype() == np.float32
    field = sitk.ReadImage(str(tmp_path / "u.nii.gz"), sitk.sitkVectorFloat64)
    transform = sitk.DisplacementFieldTransform(field)
    for index in ((0,) * ndim, (2, 5, 1)[:ndim], (4, 6, 3)[:ndim]):
        point = (affine @ [*index, 1])[:-1]
        moved = flip_ras_lps(
            np.array(transform.TransformPoint(flip_ras_lps(point).tolist()))
        )
        np.testing.assert_allclose(moved, point + ddf[index], atol=1e-4)


def test_flip_is_its_own_inverse():
    points = np.array([[1.0, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(flip_ras_lps(points), points * [-1, -1, 1])
    np.testing.assert_array_equal(flip_ras_lps(flip_ras_lps(points)), points)
    np.testing.assert_array_equal(flip_ras_lps(points[:, :2]), -points[:, :2])


def test_points_come_back(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("\ufeffx,y,z\r\n1,-2.5,3e1\r\n\r\n 4, 5,6\r\n", encoding="utf-8")
    np.testing.assert_array_equal(read_points(path), [[1, -2.5, 30], [4, 5, 6]])
    path.write_text("x,y\n1,2\n")
    assert read_points(path).shape == (1, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: the header must be x,y,z or x,y .*missing"),
        ("1,2,3\n4,5,6\n", "line 1: the header must be.*1,2,3"),
        ("x,y,z\n", "no points"),
        ("x,y,z\n1,2,3\n\n4,5\n", "line 4: must hold 3 finite numbers.*'4,5'"),
        ("x,y,z\n1,two,3\n", "line 2: .*'1,two,3'"),
        ("x,y\n1,nan\n", "line 2: must hold 2 finite"),
    ],
)
def test_wrong_points_name_the_line(tmp_path, text, message):
    path = tmp_path / "p.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=rf"p\.csv.*{message}"):
        read_points(path)


def test_missing_points(tmp_path):
    with pytest.raises(InputError, match=r"no such file: .*p\.csv"):
        read_points(tmp_path / "p.csv")


def test_acdc_has_its_true_spacing(shared_data):
    path = shared_data / "acdc" / "patient001" / "patient001_frame01.nii.gz"
    with pytest.warns(SpacingWarning, match=r"1 x 1 x 1 mm, pixdim 1\.5625"):
        image = read_image(path)
    assert image.spacing == pytest.approx((1.5625, 1.5625, 10.0))
    assert image.array.dtype == np.int16
    assert image.shape == (216, 256, 10)
    np.testing.assert_allclose(_itk_affine(path), image.affine, atol=1e-4)


@pytest.mark.parametrize("folder", ["brain", "brain2d", "liver"])
def test_real_images_read_in_silence(shared_data, folder, tmp_path):
    path = sorted((shared_data / folder).glob("*.nii.gz"))[0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image = read_image(path)
        write_image(tmp_path / "a.nii.gz", image)
        back = read_image(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(back.array, image.array)
    np.testing.assert_allclose(back.affine, image.affine, atol=1e-5)
