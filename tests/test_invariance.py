"""The world transform depends on what lies where, not on how files say so."""

import keras
import numpy as np
import pytest
from random_models import affine, random_model, spline
from scipy import ndimage
from storage import store_otherwise

from dlir_tf.images import Image
from dlir_tf.models.folder import make_model
from dlir_tf.models.world import build_transform
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.registration import register

# Fixed and moving on different grids; the thick axis of 3-d images is the last.
SHAPES = {2: ((21, 15), (24, 19)), 3: ((15, 21, 5), (19, 18, 7))}
SPACINGS = {2: ((1.3, 0.8), (1.1, 1.0)), 3: ((1.3, 0.9, 6.0), (1.1, 1.4, 5.0))}
STEPS = {2: ([8, 8], [4, 4]), 3: ([8, 8, 1], [4, 4, 1])}
CASES = [(2, "ras"), (3, "ras"), (3, "slices_last")]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: "{}-{}".format(*case))
def model(request):
    """An affine and two deformable stages that move images, though never trained."""
    ndim, axes = request.param
    coarse, fine = STEPS[ndim]
    small = {"filters": [4, 4, 4], "lattice_filters": 4}
    turned = affine(coarse, filters=small["filters"], dense_units=[8])
    config = {
        "ndim": ndim,
        "axes": axes,
        "spacing": [1.2, 1.2, None][:ndim],
        "intensity": {"clip_percentiles": None, "clip_values": [0, 1000]},
        "stages": [turned, spline(coarse, **small), spline(fine, **small)],
    }
    keras.utils.set_random_seed(7)
    return random_model(config, np.random.default_rng(7), added=False)


def _affine(ndim, spacing, angle):
    affine = np.eye(ndim + 1)
    cosine, sine = np.cos(angle), np.sin(angle)
    affine[:2, :2] = [[cosine, -sine], [sine, cosine]]
    if ndim == 3:  # tilted, too
        tilt = np.array([[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]])
        affine[:3, :3] = tilt @ affine[:3, :3]
    affine[:-1, :-1] *= spacing
    affine[:-1, -1] = (-31.0, 12.5, 70.0)[:ndim]
    return affine


@pytest.fixture
def pair(rng, model):
    """Oblique images of different grids, spacings and fields of view."""
    ndim, images = model.config.ndim, []
    for shape, spacing, angle in zip(
        SHAPES[ndim], SPACINGS[ndim], (0.25, 0.15), strict=True
    ):
        array = ndimage.gaussian_filter(rng.normal(size=shape), 1.2)
        array = 1000 * (array - array.min()) / np.ptp(array)
        images.append(Image(array.astype(np.float32), _affine(ndim, spacing, angle)))
    return images


def _points(rng, image):
    """Within the image, half a voxel around it included."""
    low, high = -0.5 * np.ones(image.ndim), np.array(image.shape) - 0.5
    voxels = rng.uniform(low, high, (300, image.ndim))
    return voxels @ image.affine[:-1, :-1].T + image.affine[:-1, -1]


def _moved_by(matrix, image):
    return Image(image.array, matrix @ image.affine)


def test_storage_does_not_matter(rng, model, pair):
    """Axes permuted and flipped, of each image in its own way."""
    fixed, moving = pair
    expected = register(fixed, moving, model=model, do_no_harm=False)
    points = _points(rng, fixed)
    mapped = expected.transform.map_points(points)
    assert np.abs(mapped - points).max() > 1
    storages = {
        2: [((1, 0), (True, False)), ((0, 1), (True, True))],
        3: [
            ((2, 0, 1), (True, False, True)),
            ((0, 2, 1), (False, True, True)),
            ((1, 0, 2), (True, True, False)),
        ],
    }[fixed.ndim]
    for number, storage in enumerate(storages):
        stored_fixed = store_otherwise(fixed, *storage)
        stored_moving = store_otherwise(moving, *storages[number - 1])
        result = register(stored_fixed, stored_moving, model=model, do_no_harm=False)
        np.testing.assert_allclose(
            result.transform.map_points(points), mapped, rtol=0, atol=0.05
        )
        for component in range(fixed.ndim):
            field = fixed.with_array(expected.displacement[..., component])
            wanted = store_otherwise(field, *storage).array
            np.testing.assert_allclose(
                result.displacement[..., component], wanted, rtol=0, atol=0.05
            )


def test_a_shift_of_the_world_shifts_the_transform(rng, model, pair):
    fixed, moving = pair
    expected = register(fixed, moving, model=model, do_no_harm=False)
    shift = np.eye(fixed.ndim + 1)
    shift[:-1, -1] = (640.0, -37.25, 129.5)[: fixed.ndim]
    result = register(
        _moved_by(shift, fixed), _moved_by(shift, moving), model=model, do_no_harm=False
    )
    points = _points(rng, fixed)
    mapped = expected.transform.map_points(points)
    assert np.abs(mapped - points).max() > 1
    shifted = result.transform.map_points(points + shift[:-1, -1])
    np.testing.assert_allclose(shifted - shift[:-1, -1], mapped, rtol=0, atol=0.05)
    np.testing.assert_allclose(
        result.displacement, expected.displacement, rtol=0, atol=0.05
    )
    np.testing.assert_allclose(result.moved.array, expected.moved.array, atol=1)


def test_a_turn_of_the_world_turns_the_transform(rng, model, pair):
    """By so little that the axes of the working grid keep their order."""
    fixed, moving = pair
    expected = register(fixed, moving, model=model, do_no_harm=False)
    ndim = fixed.ndim
    turn = _affine(ndim, np.ones(ndim), -0.3)
    result = register(
        _moved_by(turn, fixed), _moved_by(turn, moving), model=model, do_no_harm=False
    )
    points = _points(rng, fixed)
    mapped = expected.transform.map_points(points)
    assert np.abs(mapped - points).max() > 1
    linear, offset = turn[:-1, :-1], turn[:-1, -1]
    turned = result.transform.map_points(points @ linear.T + offset)
    np.testing.assert_allclose(turned, mapped @ linear.T + offset, rtol=0, atol=0.05)
    np.testing.assert_allclose(
        result.displacement, expected.displacement @ linear.T, rtol=0, atol=0.05
    )


def test_padding_of_the_working_grid_does_not_show(rng, model, pair):
    """Padded by hand with what the grid is padded with, the result is the same."""
    fixed, moving = pair
    config = model.config.model_copy(update={"spacing": (None,) * fixed.ndim})
    own = make_model(config, model.network)
    grid = prepare_pair(fixed, moving, config).grid
    # Working axes may have another order than those of the file.
    steps = np.linalg.inv(fixed.affine) @ grid.affine
    order = np.argmax(np.abs(steps[:-1, :-1]), axis=0)
    shape = np.empty(fixed.ndim, int)
    shape[order] = grid.shape
    before = (shape - fixed.shape) // 2
    assert (shape > fixed.shape).any()
    padding = [
        (b, n - m - b) for b, n, m in zip(before, shape, fixed.shape, strict=True)
    ]
    affine = fixed.affine.copy()
    affine[:-1, -1] -= affine[:-1, :-1] @ before
    padded = Image(np.pad(fixed.array, padding), affine)
    expected = register(fixed, moving, model=own, do_no_harm=False)
    result = register(padded, moving, model=own, do_no_harm=False)
    points = _points(rng, fixed)
    mapped = expected.transform.map_points(points)
    assert expected.transform.covers(points).all()
    np.testing.assert_allclose(
        result.transform.map_points(points), mapped, rtol=0, atol=1e-3
    )
    inner = tuple(slice(b, b + m) for b, m in zip(before, fixed.shape, strict=True))
    np.testing.assert_allclose(
        result.displacement[inner], expected.displacement, rtol=0, atol=1e-3
    )
    assert expected.moved.shape == fixed.shape


def test_what_is_cropped_away_does_not_change_what_stays(rng, model, pair):
    """The same parameters on the grid of a part of the fixed image."""
    fixed, moving = pair
    working = prepare_pair(fixed, moving, model.config)
    transform = build_transform(working, model.predict(working), model.config)
    whole = transform.resample(moving, fixed)
    start = np.array([3, 2, 1][: fixed.ndim])
    part = tuple(slice(n, -1) for n in start)
    affine = fixed.affine.copy()
    affine[:-1, -1] += affine[:-1, :-1] @ start
    cropped = Image(fixed.array[part], affine)
    np.testing.assert_allclose(
        transform.resample(moving, cropped).array, whole.array[part], atol=1e-3
    )
    np.testing.assert_allclose(
        transform.displacement(cropped), transform.displacement(fixed)[part], atol=1e-4
    )
