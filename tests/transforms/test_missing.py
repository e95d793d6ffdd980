"""Images with voxels that have no value (NaN), resampled."""

import numpy as np
import pytest
from itk_judge import random_frame, random_image

from dlir_tf.images import Image
from dlir_tf.transforms import Affine, Transform


def shifted(ndim, affine, voxels):
    """A transform that takes each voxel so far along the axes of a grid."""
    matrix = np.eye(ndim + 1)
    matrix[:-1, -1] = affine[:-1, :-1] @ voxels
    return Transform((Affine(matrix),))


@pytest.fixture(params=[2, 3])
def image(request, rng):
    """An image with a hole, and lone voxels without a value."""
    ndim = request.param
    shape = (13, 11, 9)[:ndim]
    whole = random_image(
        rng, shape, random_frame(rng, (1.0, 1.3, 2.0)[:ndim], 4, shape)
    )
    array = whole.array.copy()
    array[(slice(3, 7), slice(2, 6), slice(4, 8))[:ndim]] = np.nan
    array[rng.random(shape) < 0.03] = np.nan
    return Image(array, whole.affine)


@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
def test_the_identity_keeps_every_voxel(image, interpolation):
    same = shifted(image.ndim, image.affine, np.zeros(image.ndim))
    moved = same.resample(image, image, interpolation=interpolation, fill_value=7)
    np.testing.assert_allclose(moved.array, image.array, atol=1e-3)


@pytest.mark.parametrize("interpolation", ["nearest", "linear", "cubic"])
def test_a_shift_by_whole_voxels_moves_them_along(image, interpolation):
    step = np.array([2, -1, 1])[: image.ndim]
    moved = shifted(image.ndim, image.affine, step).resample(
        image, image, interpolation=interpolation, fill_value=np.nan
    )
    expected = np.full(image.shape, np.nan)
    sizes = list(zip(step, image.shape, strict=True))
    here = tuple(slice(max(0, -s), n - max(0, s)) for s, n in sizes)
    there = tuple(slice(max(0, s), n - max(0, -s)) for s, n in sizes)
    expected[here] = image.array[there]
    np.testing.assert_allclose(moved.array, expected, atol=1e-3)


@pytest.mark.parametrize("interpolation", ["linear", "cubic"])
def test_a_constant_stays_one_up_to_half_a_voxel(image, interpolation):
    """What is missing pulls at nothing, and neither grows nor shrinks."""
    array = np.where(np.isnan(image.array), np.nan, 5.0)
    constant = image.with_array(array)
    for part in (0.3, 0.49):
        step = np.zeros(image.ndim)
        step[0] = part
        moved = shifted(image.ndim, image.affine, step).resample(
            constant, image, interpolation=interpolation, fill_value=5.0
        )
        np.testing.assert_array_equal(np.isnan(moved.array), np.isnan(array))
        seen = moved.array[~np.isnan(array)]
        np.testing.assert_allclose(seen, 5.0, atol=1e-4)


def test_known_values_are_interpolated_as_if_nothing_was_missing(image, rng):
    """Where all neighbours have a value, to the last bit but rounding."""
    whole = image.with_array(np.nan_to_num(image.array, nan=3.0))
    step = np.array([0.3, 0.6, -0.4])[: image.ndim]
    move = shifted(image.ndim, image.affine, step)
    with_holes = move.resample(image, image).array
    without = move.resample(whole, image).array
    near = move.resample(image.with_array(np.isnan(image.array) * 1.0), image).array
    clear = near == 0
    assert clear.mean() > 0.2
    np.testing.assert_allclose(with_holes[clear], without[clear], rtol=1e-6)
    np.testing.assert_array_equal(np.isnan(with_holes), near > 0.5)
