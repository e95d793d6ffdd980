"""What a scanner hasn't seen is known by its value, or by its shape."""

import numpy as np
import pytest
from made_chest import grid_about, scan
from storage import store_otherwise

from dlir_tf.images import Image
from dlir_tf.images.background import chosen_fill_value
from dlir_tf.images.padding import find_padding

GRID = grid_about([3, -30, 5], (83, 78, 13), (4.6, 4.8, 9.0))
CROPPED = grid_about([88, -2, 5], (49, 71, 13), (4.1, 4.4, 9.0))


def field_of_view(grid, radius=185.0):
    """Which voxels lie in the disc that a scanner sees, along the third axis."""
    points = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    return np.hypot(points[..., 0] - 3, points[..., 1] + 30) < radius


def padded(value, grid=GRID, radius=185.0):
    """A CT outside whose field of view is one value; and where that is."""
    image, seen = scan(grid), field_of_view(grid, radius)
    array = np.maximum(image.array, -1024)  # as scanners store it
    return image.with_array(np.where(seen, array, value).astype(np.int16)), ~seen


@pytest.mark.parametrize("value", [-2048, -3024, -2000, -1024])
@pytest.mark.parametrize("grid", [GRID, CROPPED], ids=["whole", "cropped"])
def test_padding_is_found_exactly(value, grid):
    image, outside = padded(value, grid)
    found = find_padding(image)
    assert found.value == value
    np.testing.assert_array_equal(found.voxels, outside)
    assert chosen_fill_value("auto", image) == value


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_the_file_may_store_its_axes_otherwise(order):
    image, outside = padded(-1024)
    stored = store_otherwise(image, order, (True, False, True))
    expected = store_otherwise(image.with_array(outside), order, (True, False, True))
    np.testing.assert_array_equal(find_padding(stored).voxels, expected.array)


def test_single_slices_have_padding_too():
    image, outside = padded(-1024)
    affine = np.diag([4.6, 4.8, 1.0])
    found = find_padding(Image(image.array[..., 6], affine)).voxels
    assert found[outside[..., 6]].all()
    # Noise of the same value beside it can't be told from it in one slice.
    assert np.mean(found & ~outside[..., 6]) < 0.005


def test_padding_that_was_interpolated_is_found_as_far_as_it_reaches():
    image, outside = padded(-2048)
    array = image.array.astype(np.float32)
    mixed = outside & ~np.roll(outside, 1, axis=0)
    array[mixed] = 0.8 * -2048 + 0.2 * -1000
    np.testing.assert_array_equal(find_padding(image.with_array(array)).voxels, outside)


def test_air_is_no_padding():
    """Clipped at -1024, or set to it all around a body that isn't a disc.

    Not even where the image is a few slices, across which all is straight.
    """
    assert find_padding(scan(GRID)) is None
    clipped = np.maximum(scan(GRID, noise=40.0).array, -1024)
    assert find_padding(scan(GRID).with_array(clipped)) is None
    bare = scan(GRID, with_couch=False)
    set_to_it = np.where(bare.array < -900, -1024, bare.array)
    assert find_padding(bare.with_array(set_to_it)) is None
    few = grid_about([3, -30, 5], (83, 78, 5), (4.6, 4.8, 4.7))
    bare = scan(few, with_couch=False)
    set_to_it = np.where(bare.array < -900, -1024, bare.array)
    assert find_padding(bare.with_array(set_to_it)) is None
    # A few voxels at the dark end of streaks from metal.
    streaks = bare.array.copy()
    streaks[40, 40, :3] = -3024
    assert find_padding(bare.with_array(streaks)) is None


def test_other_images_have_no_padding(rng):
    grey = rng.uniform(0, 900, GRID.shape)
    grey[~field_of_view(GRID)] = 0
    assert find_padding(Image(grey, GRID.affine)) is None
    phases = rng.integers(-20_000, 20_000, GRID.shape)
    phases[~field_of_view(GRID)] = -32_768
    assert find_padding(Image(phases, GRID.affine)) is None


@pytest.mark.parametrize("date", ["fixed", "moving"])
def test_a_real_crop_has_padding_in_its_corners(shared_data, date):
    from dlir_tf.images import read_image

    image = read_image(shared_data / "lung" / f"{date}.nii.gz")
    found = find_padding(image)
    assert found.value == -2048
    np.testing.assert_array_equal(found.voxels, image.array == -2048)
    # The same scan, as other scanners would have stored it.
    low = image.with_array(np.maximum(image.array, -1024))
    np.testing.assert_array_equal(find_padding(low).voxels, found.voxels)
