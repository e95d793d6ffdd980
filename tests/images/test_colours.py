"""Colours in any format: which number is looked at, and what outside is."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from itk_judge import sitk_affine, sitk_image
from PIL import Image as Pillow

from dlir_tf.errors import InputError
from dlir_tf.images import Image, read_frames, read_image, write_image
from dlir_tf.images.background import channel_fill_values
from dlir_tf.transforms import Affine, Transform

SHAPE = (5, 7, 4)
PLACE = np.array([[-1.5, 0, 0, 9], [0, 0.8, 0, -4], [0, 0, 4, 30], [0, 0, 0, 1.0]])


def colours(count=3, dtype=np.uint8, shape=SHAPE):
    top = np.iinfo(dtype).max
    rng = np.random.default_rng(4)
    return rng.integers(0, top, (*shape, count), dtype, endpoint=True)


def test_luminance_is_that_of_pillow(tmp_path):
    array = colours(shape=(9, 7))
    Pillow.fromarray(array).save(tmp_path / "a.tif", dpi=(50, 50))
    ours = read_image(tmp_path / "a.tif").array.T
    theirs = np.asarray(Pillow.fromarray(array).convert("L"))
    assert ours.dtype == np.uint8
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert np.mean(ours == theirs) > 0.9


@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd", ".mha"])
@pytest.mark.parametrize("count", [3, 4])
def test_colours_come_back(tmp_path, suffix, count):
    array = colours(count)
    write_image(tmp_path / f"a{suffix}", Image(array[..., 0], PLACE, channels=array))
    back = read_image(tmp_path / f"a{suffix}")
    np.testing.assert_array_equal(back.channels, array)
    np.testing.assert_allclose(back.affine, PLACE, atol=1e-5)
    expected = array[..., :3] @ [0.299, 0.587, 0.114]
    assert np.abs(back.array - expected).max() <= 0.5001
    itk = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"a{suffix}")))
    np.testing.assert_array_equal(itk.transpose(2, 1, 0, 3), array)


def test_colours_of_nifti_are_read_as_nibabel_writes_them(tmp_path):
    array = colours()
    parts = array.view([("R", "u1"), ("G", "u1"), ("B", "u1")])[..., 0]
    nib.save(nib.Nifti1Image(parts, PLACE), tmp_path / "a.nii")
    np.testing.assert_array_equal(read_image(tmp_path / "a.nii").channels, array)
    assert int(nib.load(tmp_path / "a.nii").header["datatype"]) == 128


def test_a_chosen_channel_is_what_is_looked_at(tmp_path):
    array = colours(5, np.uint16)
    path = tmp_path / "a.nrrd"
    write_image(path, Image(array[..., 0], PLACE, channels=array))
    for number in (1, 4):
        image = read_image(path, channel=number)
        np.testing.assert_array_equal(image.array, array[..., number - 1])
        np.testing.assert_array_equal(image.channels, array)
    with pytest.raises(InputError, match=r"a\.nrrd: has 5 channels.*choose"):
        read_image(path)
    for number in (0, 6):
        with pytest.raises(InputError, match=f"from 1 to 5. Received: {number}"):
            read_image(path, channel=number)
    assert read_frames(path)[0].channels.shape == array.shape  # nothing is looked at


def test_vectors_are_no_colours(tmp_path):
    image = sitk.GetImageFromArray(np.ones((4, 7, 5, 3), np.float32), isVector=True)
    sitk.WriteImage(image, str(tmp_path / "a.mha"))
    for read in (read_image, read_frames):
        with pytest.raises(
            InputError, match=r"a\.mha: .* 3 numbers each of type float32"
        ):
            read(tmp_path / "a.mha")


def test_nifti_holds_no_other_channels(tmp_path):
    array = colours(3, np.uint16)
    with pytest.raises(InputError, match=r"a\.nii: NIfTI holds 3 or 4 .*uint16"):
        write_image(tmp_path / "a.nii", Image(array[..., 0], PLACE, channels=array))
    assert list(tmp_path.iterdir()) == []


def test_all_channels_move_alike_and_as_in_itk():
    """A shift and a shear; outside, every channel has a value of its own."""
    array = colours(3)
    moving = Image(array[..., 0], PLACE, channels=array)
    matrix = np.eye(4)
    matrix[0, 1], matrix[:3, 3] = 0.1, (2.0, -0.7, 3.0)
    transform = Transform((Affine(matrix),))
    moved = transform.resample(moving, moving, channel_fill=(7, 8, 9))
    judge = sitk_affine(matrix)
    for number, outside in enumerate((7, 8, 9)):
        one = sitk_image(moving.with_array(array[..., number].astype(np.float64)))
        by_itk = sitk.Resample(one, one, judge, sitk.sitkLinear, outside)
        expected = sitk.GetArrayFromImage(by_itk).T
        assert (expected == outside).any()
        assert np.abs(moved.channels[..., number] - expected).max() <= 0.5001
    alone = transform.resample(moving.with_array(array[..., 1]), moving, fill_value=8)
    np.testing.assert_array_equal(moved.channels[..., 1], alone.array)


def test_outside_goes_on_like_an_even_rim():
    rng = np.random.default_rng(2)
    array = np.empty((40, 30, 3), np.uint8)
    array[...] = np.array((240, 230, 235)) + rng.integers(-4, 5, (40, 30, 1))
    array[10:30, 8:22] = rng.integers(0, 200, (20, 14, 3))
    glass = Image(array[..., 0], np.eye(3), channels=array)
    values = channel_fill_values("auto", glass)
    np.testing.assert_allclose(values, (240, 230, 235), atol=2)
    assert channel_fill_values(5.0, glass) == (5.0,) * 3
    noise = colours(shape=(40, 30))
    cut = Image(noise[..., 0], np.eye(3), channels=noise)
    assert channel_fill_values("auto", cut) == (0.0,) * 3
    assert channel_fill_values("auto", glass.with_array(glass.array)) is None


def test_channels_must_fit_their_image():
    with pytest.raises(ValueError, match="Image: expected channels of shape"):
        Image(np.zeros((4, 5)), np.eye(3), channels=np.zeros((5, 4, 3)))
