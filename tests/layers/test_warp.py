"""Warp: whole shifts are slices, SciPy judges the fractions between them."""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from dlir_tf.compute.compilation import without_islands
from dlir_tf.layers import Warp

SHAPES = {2: (7, 4), 3: (5, 8, 3)}
NUM_CHANNELS = 2
BATCH = 2


def _image(rng, ndim):
    return rng.random((BATCH, *SHAPES[ndim], NUM_CHANNELS), dtype="float32")


def _constant_field(shift, size, batch=BATCH):
    field = np.zeros((batch, *size, len(shift)), "float32")
    return field + np.asarray(shift, "float32")


def _scipy(image, ddf, **options):
    """Every sample and channel on its own, in double precision."""
    grid = np.moveaxis(np.indices(ddf.shape[1:-1], dtype=float), 0, -1)
    result = np.empty((*ddf.shape[:-1], image.shape[-1]))
    for b, c in np.ndindex(image.shape[0], image.shape[-1]):
        points = np.moveaxis(grid + ddf[b].astype(float), -1, 0)
        channel = image[b, ..., c].astype(float)
        result[b, ..., c] = ndimage.map_coordinates(channel, points, **options)
    return result


@pytest.mark.parametrize("fill_value", [None, 0.25])
@pytest.mark.parametrize("ndim", [2, 3])
def test_zero_field_returns_the_image_exactly(ndim, fill_value, rng):
    image = _image(rng, ndim)
    field = _constant_field([0] * ndim, SHAPES[ndim])
    moved = Warp(fill_value=fill_value)(image, field)
    np.testing.assert_array_equal(moved, image)


@pytest.mark.parametrize("step", [1, -1])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_shift_by_one_voxel_is_a_slice(axis, step, rng):
    """Along one axis each, on an odd shape: no axes swapped, no sign, no half."""
    image = _image(rng, 3)
    shift = [0, 0, 0]
    shift[axis] = step
    expected = np.roll(image, -step, axis + 1)
    border = [slice(None)] * image.ndim
    border[axis + 1] = -1 if step == 1 else 0
    expected[tuple(border)] = image[tuple(border)]
    moved = Warp()(image, _constant_field(shift, SHAPES[3]))
    np.testing.assert_array_equal(moved, expected)
    expected[tuple(border)] = -7
    moved = Warp(fill_value=-7)(image, _constant_field(shift, SHAPES[3]))
    np.testing.assert_array_equal(moved, expected)


@pytest.mark.parametrize(
    ("fill_value", "scipy_options"),
    [(None, {"mode": "nearest"}), (0.3, {"mode": "grid-constant", "cval": 0.3})],
    ids=["edge", "fill"],
)
@pytest.mark.parametrize("ndim", [2, 3])
def test_linear_agrees_with_scipy_inside_and_outside(
    ndim, fill_value, scipy_options, rng
):
    image = _image(rng, ndim)
    ddf = rng.normal(0, 3, (BATCH, *SHAPES[ndim], ndim)).astype("float32")
    moved = Warp(fill_value=fill_value)(image, ddf)
    expected = _scipy(image, ddf, order=1, **scipy_options)
    np.testing.assert_allclose(moved, expected, atol=2e-6)


def test_grids_of_field_and_image_may_differ(rng):
    image = _image(rng, 3)
    ddf = rng.normal(0, 1, (BATCH, 2, 9, 6, 3)).astype("float32")
    moved = Warp()(image, ddf)
    assert moved.shape == (BATCH, 2, 9, 6, NUM_CHANNELS)
    expected = _scipy(image, ddf, order=1, mode="nearest")
    np.testing.assert_allclose(moved, expected, atol=2e-6)


@pytest.mark.parametrize("fill_value", [None, 0.5])
def test_an_axis_may_have_a_single_voxel(fill_value, rng):
    """A single slice of a volume, say."""
    image = rng.random((BATCH, 4, 1, 3, 1), dtype="float32")
    ddf = rng.normal(0, 0.7, (*image.shape[:-1], 3)).astype("float32")
    options = (
        {"mode": "nearest"}
        if fill_value is None
        else {"mode": "grid-constant", "cval": fill_value}
    )
    moved = Warp(fill_value=fill_value)(image, ddf)
    np.testing.assert_allclose(moved, _scipy(image, ddf, order=1, **options), atol=2e-6)


@pytest.mark.parametrize("compiled", [True, False])
def test_a_position_that_is_no_number_gives_none_there_alone(compiled, rng):
    image = rng.random((1, 4, 5, 3, 1), dtype="float32")
    ddf = rng.normal(0, 0.7, (1, 4, 5, 3, 3)).astype("float32")
    expected = _scipy(image, ddf, order=1, mode="nearest")
    ddf[0, 2, 3, 1, 1] = np.nan
    expected[0, 2, 3, 1] = np.nan
    with contextlib.nullcontext() if compiled else without_islands():
        moved = Warp()(image, ddf)
    np.testing.assert_allclose(moved, expected, atol=2e-6)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "float32"])
def test_nearest_keeps_labels_as_they_are(dtype, rng):
    """SciPy rounds, too; displacements keep clear of the halves in between."""
    labels = rng.integers(0, 200, (BATCH, *SHAPES[3], 1)).astype(dtype)
    ddf = rng.integers(-4, 5, (*labels.shape[:-1], 3)) + rng.uniform(
        -0.45, 0.45, (*labels.shape[:-1], 3)
    )
    ddf = ddf.astype("float32")
    with without_islands():
        inside = Warp("nearest")(tf.constant(labels), ddf)
        filled = Warp("nearest", fill_value=9)(tf.constant(labels), ddf)
    assert inside.dtype == filled.dtype == dtype
    nearest = _scipy(labels, ddf, order=0, mode="nearest")
    np.testing.assert_array_equal(inside, nearest.astype(dtype))
    nearest = _scipy(labels, ddf, order=0, mode="grid-constant", cval=9)
    np.testing.assert_array_equal(filled, nearest.astype(dtype))


def test_nearest_rounds_halves_up():
    labels = np.arange(5, dtype="int32").reshape(1, 5, 1, 1)
    moved = Warp("nearest")(tf.constant(labels), _constant_field([0.5, 0], (5, 1), 1))
    np.testing.assert_array_equal(np.ravel(moved), [1, 2, 3, 4, 4])


def test_positions_far_outside_are_outside(rng):
    image = _image(rng, 2)
    field = _constant_field([1e8, -1e8], SHAPES[2])
    corner = np.broadcast_to(image[:, -1:, :1], image.shape)
    np.testing.assert_array_equal(Warp()(image, field), corner)
    np.testing.assert_array_equal(Warp(fill_value=2)(image, field), 0 * image + 2)


def test_gradient_to_the_field_is_that_of_finite_differences(rng):
    """Positions keep clear of voxel centres, where the slope jumps."""
    image = tf.constant(_image(rng, 3))
    weights = rng.normal(size=image.shape)
    ddf = rng.integers(-1, 2, (BATCH, *SHAPES[3], 3)) + rng.uniform(
        0.2, 0.8, (BATCH, *SHAPES[3], 3)
    )
    with tf.GradientTape() as tape:
        field = tf.constant(ddf, "float32")
        tape.watch(field)
        value = tf.reduce_sum(Warp()(image, field) * weights)
    gradient = tape.gradient(value, field).numpy()

    def value_at(moved_ddf):
        warped = _scipy(image.numpy(), moved_ddf, order=1, mode="nearest")
        return (warped * weights).sum(-1)

    for axis in range(3):
        step = np.eye(3)[axis] * 1e-3
        slope = (value_at(ddf + step) - value_at(ddf - step)) / 2e-3
        np.testing.assert_allclose(gradient[..., axis], slope, atol=1e-4)


def test_gradient_to_the_image_only_on_request(rng):
    """Warping is linear in the image, so its gradient is the transposed matrix."""
    image = tf.constant(rng.random((1, 3, 4, 1), dtype="float32"))
    ddf = tf.constant(rng.normal(0, 1, (1, 3, 4, 2)).astype("float32"))
    weights = rng.normal(size=image.shape).astype("float32")

    def gradient(layer):
        with tf.GradientTape() as tape:
            tape.watch(image)
            value = tf.reduce_sum(layer(image, ddf) * weights)
        return tape.gradient(value, image)

    silent = gradient(Warp())
    assert silent is None or not np.any(silent)
    units = np.eye(12).reshape(12, 3, 4, 1)
    columns = [_scipy(u[None], ddf.numpy(), order=1, mode="nearest") for u in units]
    expected = np.reshape([(c * weights).sum() for c in columns], image.shape)
    result = gradient(Warp(image_gradient=True))
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_wrong_arguments_are_named():
    image, ddf = np.zeros((1, 4, 5, 1), "float32"), np.zeros((1, 4, 5, 2), "float32")
    with pytest.raises(ValueError, match=r"'linear' or 'nearest'.*'cubic'"):
        Warp("cubic")
    with pytest.raises(ValueError, match=r"\(batch, \*spatial, 2\).*\(1, 4, 5, 1\)"):
        Warp()(image, ddf[..., :1])
    with pytest.raises(ValueError, match=r"\(batch, \*spatial, 2\).*\(1, 4, 2\)"):
        Warp()(image, ddf[:, :, 0])
    with pytest.raises(ValueError, match="2-d and 3-d"):
        Warp()(image[:, 0], ddf[:, 0, :, :1])
    with pytest.raises(ValueError, match=r"\(batch, \*spatial, 2\)"):
        Warp()(keras.Input((None, None, 1)), keras.Input((None, None, 3)))
