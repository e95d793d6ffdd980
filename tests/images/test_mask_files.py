"""Masks: non-zero is inside, and they lie on their image."""

import nibabel as nib
import numpy as np
import pytest
import SimpleITK as sitk
from itk_judge import random_frame, sitk_image

from dlir_tf.errors import InputError
from dlir_tf.images import Image, read_mask_of, write_image

SHAPE = (5, 7, 4)
AFFINE = np.array(
    [[0, -0.8, 0, 11], [1.5, 0, 0, -7], [0, 0, 4, 3], [0, 0, 0, 1]], dtype=float
)


def _inside():
    return np.random.default_rng(0).random(SHAPE) < 0.3


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
@pytest.mark.parametrize("suffix", [".nii.gz", ".mha"])
def test_non_zero_is_inside(tmp_path, dtype, suffix):
    image = Image(np.zeros(SHAPE, np.float32), AFFINE)
    values = np.where(_inside(), 255, 0) if dtype == np.uint8 else _inside() * 3
    write_image(tmp_path / f"m{suffix}", Image(values.astype(dtype), AFFINE))
    mask = read_mask_of(tmp_path / f"m{suffix}", image)
    assert mask.array.dtype == bool
    np.testing.assert_array_equal(mask.array, _inside())
    np.testing.assert_array_equal(mask.affine, AFFINE)


def test_a_mask_lies_on_its_image(tmp_path):
    image = Image(np.zeros(SHAPE, np.float32), AFFINE)
    shifted, turned = AFFINE.copy(), AFFINE @ np.diag([-1, 1, -1, 1])
    shifted[2, 3] += 0.5
    path = tmp_path / "m.nii"
    for affine in (shifted, turned):
        write_image(path, Image(_inside(), affine))
        with pytest.raises(InputError, match=r"m\.nii: masks lie elsewhere.* mm away"):
            read_mask_of(path, image)
    nifti = nib.Nifti1Image(_inside()[:4].astype(np.uint8), None)
    nib.save(nifti, path)  # says nothing of where it lies
    with pytest.raises(InputError, match=r"m\.nii: masks.*\(5, 7, 4\).*\(4, 7, 4\)"):
        read_mask_of(path, image)
    shifted[2, 3] = AFFINE[2, 3] + 0.3  # less than half of the smallest voxel side
    write_image(path, Image(_inside(), shifted))
    np.testing.assert_array_equal(read_mask_of(path, image).affine, AFFINE)


def _otherwise(rng, ndim):
    """An image and a mask on an oblique grid of its own that covers a part of it."""
    shape = (19, 17, 12)[:ndim]
    image = Image(
        np.zeros(shape, np.float32), random_frame(rng, (1.0, 1.3, 2.1)[:ndim], 5, shape)
    )
    own = (12, 15, 7)[:ndim]
    affine = random_frame(rng, (1.7, 0.9, 2.5)[:ndim], image.grid.centre, own)
    return image, Image((rng.random(own) < 0.5).astype(np.uint8), affine)


@pytest.mark.parametrize("ndim", [2, 3])
def test_a_mask_on_another_grid_is_resampled_and_that_is_said(tmp_path, rng, ndim):
    """As SimpleITK does it, but where a voxel's border falls on another's centre."""
    image, mask = _otherwise(rng, ndim)
    write_image(tmp_path / "m.nrrd", mask)
    with pytest.warns(UserWarning, match=r"m\.nrrd: .* another grid .* resampled"):
        ours = read_mask_of(tmp_path / "m.nrrd", image)
    by_itk = sitk.Resample(
        sitk_image(mask), sitk_image(image), sitk.Transform(), sitk.sitkNearestNeighbor
    )
    expected = sitk.GetArrayFromImage(by_itk).T != 0
    assert ours.array.dtype == bool
    assert 0.05 < expected.mean() < 0.6
    assert np.mean(ours.array != expected) < 0.01
    np.testing.assert_array_equal(ours.affine, image.affine)


def test_a_mask_along_other_axes_of_the_same_box_is_resampled(tmp_path):
    image = Image(np.zeros(SHAPE, np.float32), AFFINE)
    flipped = AFFINE @ np.diag([1, 1, -1, 1])
    flipped[:3, 3] += 3 * AFFINE[:3, 2]
    write_image(tmp_path / "m.nii", Image(_inside(), flipped))
    with pytest.warns(UserWarning, match="resampled onto it by nearest neighbour"):
        mask = read_mask_of(tmp_path / "m.nii", image)
    np.testing.assert_array_equal(mask.array, _inside()[:, :, ::-1])


def test_a_mask_on_another_grid_must_lie_on_its_image(tmp_path):
    image = Image(np.zeros(SHAPE, np.float32), AFFINE)
    far = AFFINE + 500 * np.eye(4, k=3)
    write_image(tmp_path / "m.nii", Image(_inside()[:4], far))
    with pytest.raises(InputError, match=r"m\.nii: masks must lie where .* no voxel"):
        read_mask_of(tmp_path / "m.nii", image)
    write_image(tmp_path / "m.nii", Image(_inside()[0], np.eye(3)))
    with pytest.raises(InputError, match=r"m\.nii: masks must have their image's"):
        read_mask_of(tmp_path / "m.nii", image)


def test_an_empty_mask_is_refused(tmp_path):
    image = Image(np.zeros(SHAPE, np.float32), AFFINE)
    write_image(tmp_path / "m.nii", Image(np.zeros(SHAPE, np.uint8), AFFINE))
    with pytest.raises(InputError, match=r"m\.nii: every voxel of the mask is 0"):
        read_mask_of(tmp_path / "m.nii", image)


def test_a_mask_of_fractions_is_refused(tmp_path):
    image = Image(np.zeros(SHAPE, np.float32), AFFINE)
    write_image(tmp_path / "m.nii", Image(_inside() * 0.5, AFFINE))
    with pytest.raises(InputError, match=r"m\.nii.*integers"):
        read_mask_of(tmp_path / "m.nii", image)


def test_a_mask_of_shares_is_spoken_of_as_a_mask(tmp_path):
    """Nearest neighbour, which labels are told to use, would be no cure for it."""
    image = Image(np.zeros(SHAPE, np.float32), AFFINE)
    write_image(tmp_path / "m.nii", Image(_inside() * np.float32(0.5), AFFINE))
    told = r"m\.nii: masks must be integers.* such as 0\.5; set what is inside to 1"
    with pytest.raises(InputError, match=told):
        read_mask_of(tmp_path / "m.nii", image)
