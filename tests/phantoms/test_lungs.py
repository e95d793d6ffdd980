"""Lungs are found in a CT, and nothing else is taken for them."""

import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.images import Image, read_image
from dlir_tf.phantoms import chest_ct
from dlir_tf.phantoms.lungs import find_lungs


@pytest.fixture(scope="module")
def chest():
    """With a couch of foam, gas in the stomach, and a windpipe."""
    return chest_ct(3, shape=(87, 65, 71), spacing=(4.1, 3.9, 4.6))


def overlap(found, mask):
    """Dice of two masks."""
    return 2 * (found & mask).sum() / (found.sum() + mask.sum())


def test_lungs_of_a_whole_chest_are_found(chest):
    image, mask = chest
    found = find_lungs(image)
    assert found.dtype == bool
    assert overlap(found, mask.array > 0) > 0.95
    # Neither the couch behind the body nor what is around it.
    assert not found[:, :5].any()
    assert not found[:3].any()


def test_a_lung_that_is_cut_off_is_found(chest):
    image, mask = chest
    part = np.s_[:34, 6:, 5:]
    found = find_lungs(Image(image.array[part], image.affine))
    assert overlap(found, mask.array[part] > 0) > 0.95


def test_padding_of_the_field_is_no_lung(chest):
    image, mask = chest
    x, y, _ = np.moveaxis(image.grid.points(), -1, 0)
    for padding in (-2000, -2048, -3024):
        padded = np.where(np.hypot(x, y) < 165, image.array, padding)
        found = find_lungs(image.with_array(padded))
        assert overlap(found, mask.array > 0) > 0.95


def test_vessels_are_a_part_of_their_lung():
    image, mask = chest_ct(3, shape=(120, 90, 80), spacing=(3.0, 3.0, 4.0))
    lungs = mask.array > 0
    vessels = lungs & (image.array > -100)
    assert vessels.sum() > 500
    assert find_lungs(image)[vessels].mean() > 0.6


def test_images_without_lungs_are_refused(chest):
    image, mask = chest
    filled = np.where(mask.array > 0, 40, image.array)
    with pytest.raises(InputError, match=r"no lungs were found.*give a mask"):
        find_lungs(Image(filled[:, :, :40], image.affine))
    magnitude = image.with_array((image.array + 1000).astype(np.uint16))
    with pytest.raises(InputError, match=r"Hounsfield units.*values from 0 to"):
        find_lungs(magnitude)


@pytest.mark.parametrize("side", ["fixed", "moving"])
def test_lungs_of_a_real_patient_are_found(shared_data, side):
    image = read_image(shared_data / "lung" / f"{side}.nii.gz")
    mask = read_image(shared_data / "lung" / f"{side}_mask.nii.gz")
    assert overlap(find_lungs(image), mask.array > 0) > 0.97
