"""Masks: non-zero is inside, and they lie on their image."""

import numpy as np
import pytest

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
    shifted, flipped = AFFINE.copy(), AFFINE @ np.diag([1, 1, -1, 1])
    shifted[2, 3] += 0.5
    flipped[:3, 3] += 3 * AFFINE[:3, 2]
    path = tmp_path / "m.nii"
    for affine in (shifted, flipped):
        write_image(path, Image(_inside(), affine))
        with pytest.raises(InputError, match=r"m\.nii: masks lie elsewhere.* mm away"):
            read_mask_of(path, image)
    write_image(path, Image(_inside()[:4], AFFINE))
    with pytest.raises(InputError, match=r"m\.nii: masks.*\(5, 7, 4\).*\(4, 7, 4\)"):
        read_mask_of(path, image)
    shifted[2, 3] = AFFINE[2, 3] + 0.3  # less than half of the smallest voxel side
    write_image(path, Image(_inside(), shifted))
    np.testing.assert_array_equal(read_mask_of(path, image).affine, AFFINE)


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
