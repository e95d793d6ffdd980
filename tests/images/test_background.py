"""Outside of an image is air, padding or black, as the image itself tells."""

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

from dlir_tf.errors import InputError
from dlir_tf.images import Image, read_image
from dlir_tf.images.background import chosen_fill_value

SHAPE = (34, 29, 11)


def smooth(rng, low, high, shape=SHAPE):
    noise = ndimage.gaussian_filter(rng.normal(size=shape), 2.0)
    scaled = (noise - noise.min()) / np.ptp(noise)
    return low + (high - low) * scaled


def chest(rng, shape=SHAPE):
    """A body of water with lungs of air in it, noise all over; in HU."""
    places = np.stack(
        np.meshgrid(*[np.linspace(-1, 1, n) for n in shape[:2]], indexing="ij")
    )
    radius = np.sqrt((places**2).sum(axis=0))[..., None] * np.ones(shape)
    tissue = np.where(radius < 0.95, 30.0, -1000.0)
    tissue[(radius > 0.2) & (radius < 0.6)] = -850.0
    return tissue + rng.normal(0, 25, shape)


def image(array, dtype=np.int16):
    return Image(np.rint(array).astype(dtype), np.diag([1.5, 1.5, 3.0, 1.0]))


def test_a_ct_is_surrounded_by_air(rng):
    assert chosen_fill_value("auto", image(chest(rng))) == -1024
    assert chosen_fill_value("auto", image(chest(rng), np.float32)) == -1024


@pytest.mark.parametrize("padding", [-2048, -3024, -1024, 0, 7])
def test_padding_goes_on(rng, padding):
    array = chest(rng)
    array[[0, -1]] = array[:, [0, -1]] = padding
    array[0, :9] = 40  # a table, say
    assert chosen_fill_value("auto", image(array)) == padding


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(20, 900, 0), (0, 900, 0), (-120, 900, -120)]
)
def test_other_images_are_black_outside(rng, low, high, expected):
    assert chosen_fill_value("auto", image(smooth(rng, low, high))) == expected


def test_phases_and_velocities_are_no_ct(rng):
    phases = rng.integers(-20_000, 20_000, SHAPE)
    assert chosen_fill_value("auto", image(phases)) == phases.min()


def test_padding_is_found_beside_one_axis_alone(rng):
    array = smooth(rng, 5, 900)
    array[:, [0, -1]] = 300
    assert chosen_fill_value("auto", image(array)) == 300
    array[:, -1] = smooth(rng, 5, 900)[:, -1]
    array[3, 0] = 7
    assert chosen_fill_value("auto", image(array)) == 0


def test_a_number_must_be_one_of_the_images_type(rng):
    grey = image(smooth(rng, 0, 200), np.uint8)
    assert chosen_fill_value(17, grey) == 17.0
    assert np.isnan(chosen_fill_value(np.nan, image(smooth(rng, 0, 1), np.float32)))
    for wrong in (-1, 256, 0.5, np.nan, np.inf):
        with pytest.raises(InputError, match="type uint8, whole numbers from 0 to 255"):
            chosen_fill_value(wrong, grey)
    wide = image(smooth(rng, 0, 1), np.float32)
    assert chosen_fill_value(-3e38, wide) == -3e38
    for wrong in (np.inf, -np.inf, 1e39):  # which nobody could read again
        with pytest.raises(InputError, match=r"type float32, or is infinite; .*nan"):
            chosen_fill_value(wrong, wide)
    with pytest.raises(InputError, match="must be a number or auto"):
        chosen_fill_value("air", grey)


@pytest.mark.parametrize("date", ["01", "02"])
def test_a_real_chest_ct_goes_on_as_it_is_padded(shared_data, date):
    paths = sorted((shared_data / "lung").glob("*.nii.gz"))
    scans = [path for path in paths if nib.load(path).get_data_dtype() == np.int16]
    chosen = chosen_fill_value("auto", read_image(scans[int(date) - 1]))
    assert -2048 <= chosen <= -1000
