"""Images: what is written comes back, and ITK agrees on the world."""

import errno
import warnings

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from nifti_files import AFFINE_2D, SHAPE, itk_affine, oblique, save, voxels_of

from dlir_tf.errors import InputError
from dlir_tf.images import Image, flip_ras_lps, read_image, read_labels, write_image

TILTED_2D = np.array([[1.2, 0, 0, 3], [0, 0, 1, 4], [0, 2, 0, 5], [0, 0, 0, 1.0]])


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_an_image_comes_back_as_it_was_written(tmp_path, suffix, dtype):
    image = Image(voxels_of(dtype=dtype), oblique())
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
    write_image(tmp_path / "a.nii.gz", Image(voxels_of(), oblique()))
    np.testing.assert_allclose(itk_affine(tmp_path / "a.nii.gz"), oblique(), atol=1e-4)
    header = nib.load(tmp_path / "a.nii.gz").header
    np.testing.assert_allclose(header.get_zooms(), (1.5, 0.8, 4.0), rtol=1e-6)
    np.testing.assert_allclose(header.get_qform(), oblique(), atol=1e-4)
    assert header.get_xyzt_units()[0] == "mm"


def test_2d_image_stays_2d(tmp_path):
    image = Image(voxels_of((5, 7)), AFFINE_2D)
    write_image(tmp_path / "a.nii", image)
    back = read_image(tmp_path / "a.nii")
    assert back.ndim == 2
    assert back.shape == (5, 7)
    np.testing.assert_allclose(back.affine, AFFINE_2D, atol=1e-6)
    assert back.spacing == pytest.approx((1.5, 0.8))
    np.testing.assert_allclose(itk_affine(tmp_path / "a.nii"), AFFINE_2D, atol=1e-5)


def test_2d_image_keeps_the_third_coordinate_of_its_plane(tmp_path):
    affine = np.eye(4)
    affine[np.ix_([0, 1, 3], [0, 1, 3])], affine[2, 3] = AFFINE_2D, -42.0
    image = read_image(save(tmp_path / "a.nii", voxels_of((5, 7)), affine))
    write_image(tmp_path / "b.nii", image)
    np.testing.assert_allclose(nib.load(tmp_path / "b.nii").affine, affine, atol=1e-6)


def test_tilted_2d_image_gets_a_frame_of_its_spacings(tmp_path):
    path = save(tmp_path / "a.nii", voxels_of((5, 7)), TILTED_2D)
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
    assert read_image(save(tmp_path / "a.nii", voxels_of(shape))).shape == kept


@pytest.mark.parametrize("image_class", [nib.Nifti2Image, nib.MGHImage, nib.Nifti1Pair])
def test_other_formats_of_nibabel(tmp_path, image_class):
    suffix = {nib.MGHImage: ".mgz", nib.Nifti1Pair: ".img"}.get(image_class, ".nii.gz")
    image = image_class(voxels_of(), oblique())
    nib.save(image, tmp_path / f"a{suffix}")
    back = read_image(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(back.array, voxels_of())
    np.testing.assert_allclose(back.affine, oblique(), atol=1e-4)
    write_image(tmp_path / "b.nii.gz", back)
    np.testing.assert_allclose(
        read_image(tmp_path / "b.nii.gz").affine, oblique(), atol=1e-4
    )


def test_slope_and_intercept_give_float32(tmp_path):
    path = save(tmp_path / "a.nii", voxels_of(), slope=0.5, inter=-10.0)
    image = read_image(path)
    assert image.array.dtype == np.float32
    np.testing.assert_array_equal(image.array, 0.5 * voxels_of() - 10)
    write_image(path, image)  # the slope must not be applied twice
    np.testing.assert_array_equal(read_image(path).array, 0.5 * voxels_of() - 10)


def test_big_endian_file_gives_native_voxels(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    nib.save(nib.Nifti1Image(voxels_of(), oblique(), header), tmp_path / "a.nii")
    image = read_image(tmp_path / "a.nii")
    assert image.array.dtype.isnative
    write_image(tmp_path / "b.nii", image)
    np.testing.assert_array_equal(read_image(tmp_path / "b.nii").array, voxels_of())


def test_metres_and_microns_become_mm(tmp_path):
    path = save(tmp_path / "a.nii", voxels_of(), xyzt_units=3)
    image = read_image(path)
    assert image.spacing == pytest.approx((0.0015, 0.0008, 0.004))
    np.testing.assert_allclose(itk_affine(path), image.affine, atol=1e-6)
    write_image(tmp_path / "b.nii", image)
    np.testing.assert_allclose(
        read_image(tmp_path / "b.nii").affine, image.affine, atol=1e-7
    )


def test_no_orientation_is_worth_a_warning(tmp_path):
    path = save(tmp_path / "a.nii", voxels_of(), sform_code=0, qform_code=0)
    with pytest.warns(UserWarning, match="no orientation"):
        image = read_image(path)
    write_image(tmp_path / "b.nii", image)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(
            read_image(tmp_path / "b.nii").affine, image.affine, atol=1e-5
        )


def test_writing_copies_the_header_but_not_its_dtype_or_scaling(tmp_path):
    path = save(
        tmp_path / "a.nii",
        voxels_of(),
        descrip=b"cine",
        qform_code=0,
        sform_code=4,
        xyzt_units=2 | 16,
        slope=2.0,
        inter=1.0,
    )
    moved = read_image(path).with_array(voxels_of(dtype=np.float32) + 0.25)
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
    affine = oblique()
    affine[0, 1] += 0.5
    with pytest.warns(UserWarning, match=r"a\.nii.*perpendicular.*\.nrrd"):
        write_image(tmp_path / "a.nii", Image(voxels_of(), affine))
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
    image = Image(voxels_of(), oblique())
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
    image = Image(voxels_of(), oblique())
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


def test_image_checks_and_never_mutates():
    affine = oblique()
    image = Image(voxels_of(), affine)
    affine[:] = 0
    np.testing.assert_array_equal(image.affine, oblique())
    other = image.with_array(voxels_of(seed=1))
    np.testing.assert_array_equal(image.array, voxels_of())
    np.testing.assert_array_equal(other.affine, image.affine)
    with pytest.raises(ValueError, match="shape"):
        image.with_array(voxels_of((2, 3, 4)))
    with pytest.raises(ValueError, match="3x3"):
        Image(voxels_of((5, 7)), oblique())


def test_flip_is_its_own_inverse():
    points = np.array([[1.0, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(flip_ras_lps(points), points * [-1, -1, 1])
    np.testing.assert_array_equal(flip_ras_lps(flip_ras_lps(points)), points)
    np.testing.assert_array_equal(flip_ras_lps(points[:, :2]), -points[:, :2])


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
