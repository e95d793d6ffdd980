"""The working grid lies on the fixed image, and both images lie on it, aligned."""

import itertools

import numpy as np
import pytest
from storage import store_otherwise

from dlir_tf.config import Config, Intensity
from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.pairs.alignment import initial_alignment
from dlir_tf.pairs.intensities import scale_intensities
from dlir_tf.pairs.placement import to_working_grid
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.pairs.working_grid import working_axes, working_grid
from dlir_tf.transforms import Affine, Transform

SHAPES = {2: (11, 17), 3: (11, 17, 6)}
SPACINGS = {2: (0.7, 1.9), 3: (1.9, 0.7, 8.0)}


def _turn(ndim, angle=0.3):
    """A rotation off every axis, by less than what would change their order."""
    matrix = np.eye(ndim)
    for first, second in itertools.combinations(range(ndim), 2):
        plane = np.eye(ndim)
        cosine, sine = np.cos(angle), np.sin(angle)
        plane[np.ix_([first, second], [first, second])] = [
            [cosine, -sine],
            [sine, cosine],
        ]
        matrix = matrix @ plane
    return matrix


def _affine(ndim, angle=0.3, spacing=None, origin=(-31.0, 12.5, 70.0)):
    affine = np.eye(ndim + 1)
    affine[:-1, :-1] = _turn(ndim, angle) * (spacing or SPACINGS[ndim])
    affine[:-1, -1] = origin[:ndim]
    return affine


def _image(rng, ndim=3, **frame):
    array = rng.uniform(0, 1000, SHAPES[ndim]).astype(np.float32)
    return Image(array, _affine(ndim, **frame))


def _storages(ndim):
    orders = itertools.permutations(range(ndim))
    return list(itertools.product(orders, itertools.product((0, 1), repeat=ndim)))


def _config(ndim=3, cells=8, **fields):
    stage = {"transform": "bspline", "downsample": 1, "control_point_spacing": cells}
    defaults = {"ndim": ndim, "spacing": None, "stages": [stage]}
    if ndim == 3 and "spacing" not in fields:
        defaults["spacing"] = [None] * 3
    elif "spacing" not in fields:
        defaults["spacing"] = [None] * 2
    return Config.model_validate(defaults | fields)


def _world(affine, shape):
    voxels = np.moveaxis(np.indices(shape), 0, -1)
    return voxels @ affine[:-1, :-1].T + affine[:-1, -1]


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("order", ["ras", "slices_last"])
def test_the_grid_does_not_depend_on_how_the_file_stores_its_axes(rng, ndim, order):
    image = _image(rng, ndim)
    config = _config(ndim, axes=order)
    expected = prepare_pair(image, image, config)
    for storage in _storages(ndim):
        stored = store_otherwise(image, *storage)
        pair = prepare_pair(stored, stored, config)
        assert pair.grid.shape == expected.grid.shape
        np.testing.assert_allclose(pair.grid.affine, expected.grid.affine, atol=1e-9)
        np.testing.assert_allclose(pair.fixed, expected.fixed, atol=1e-6)
        np.testing.assert_array_equal(pair.mask, expected.mask)


@pytest.mark.parametrize("ndim", [2, 3])
def test_axes_are_in_the_closest_ras_order(rng, ndim):
    expected = _turn(ndim)
    for storage in _storages(ndim):
        stored = store_otherwise(_image(rng, ndim), *storage)
        grid = working_grid(stored.grid, (2.0,) * ndim, (1,) * ndim)
        np.testing.assert_allclose(grid.affine[:-1, :-1] / 2, expected, atol=1e-9)


def test_slices_come_last_at_any_angle():
    """A coronal and a sagittal stack: superior is within the plane."""
    for plane in ((0, 2, 1), (1, 2, 0)):
        affine = np.eye(4)
        affine[:3, :3] = np.eye(3)[:, plane] * (-1.4, 1.4, 10.0)
        axes, signs = working_axes(affine, "slices_last")
        assert list(axes) == [0, 1, 2]
        assert list(signs) == [-1, 1, 1]
    for storage in itertools.permutations(range(3)):
        isotropic = np.eye(4)
        isotropic[:3, :3] = np.eye(3)[:, storage] * np.array([1, 1.001, 1])
        axes, _ = working_axes(isotropic, "slices_last")
        assert [storage[axis] for axis in axes] == [0, 1, 2]


@pytest.mark.parametrize("ndim", [2, 3])
def test_at_the_own_spacing_the_voxels_are_the_images_own(rng, ndim):
    image = _image(rng, ndim)
    for storage in _storages(ndim)[::3]:
        stored = store_otherwise(image, *storage)
        pair = prepare_pair(stored, stored, _config(ndim))
        assert all(n % 8 == 0 for n in pair.grid.shape)
        voxels = np.linalg.inv(stored.affine) @ pair.grid.affine
        np.testing.assert_allclose(voxels, np.rint(voxels), atol=1e-9)
        # Exactly the image's voxels are in the mask, each with its own value.
        assert pair.mask.sum() == image.array.size
        scaled = scale_intensities(image.array, Intensity(), "fixed")
        np.testing.assert_allclose(
            np.sort(pair.fixed[pair.mask]), np.sort(scaled.ravel()), atol=1e-6
        )
        assert (pair.fixed[~pair.mask] == 0).all()


def test_a_grid_of_a_given_shape_is_the_same_grid_padded(rng):
    image = _image(rng)
    small = working_grid(image.grid, (1.3, 1.1, None), (4, 4, 1))
    shape = tuple(n + m for n, m in zip(small.shape, (8, 4, 3), strict=True))
    large = working_grid(image.grid, (1.3, 1.1, None), (4, 4, 1), shape=shape)
    assert large.shape == shape
    shift = np.linalg.inv(large.affine) @ small.affine
    np.testing.assert_allclose(shift[:3, :3], np.eye(3), atol=1e-9)
    # By whole voxels, as many on either side.
    np.testing.assert_allclose(shift[:3, 3], np.rint(shift[:3, 3]), atol=1e-9)
    assert all(abs(n - m) <= 2 for n, m in zip(shift[:3, 3], (4, 2, 1), strict=True))
    with pytest.raises(InputError, match="export it with --shape"):
        working_grid(
            image.grid, (1.3, 1.1, None), (4, 4, 1), shape=(*small.shape[:2], 1)
        )


@pytest.mark.parametrize("zoom", [1e-3, 1.0, 40.0])
def test_the_longest_axis_has_the_voxels_that_are_asked_for(rng, zoom):
    """Of an image of any size, voxels become equally long along all axes."""
    image = _image(rng)
    affine = image.affine @ np.diag([zoom, zoom, zoom, 1])
    stored = Image(image.array, affine).grid
    grid = working_grid(stored, (None,) * 3, (4, 4, 1), longest_axis=32)
    assert grid.spacing == pytest.approx((stored.extent.max() / 32,) * 3)
    assert 32 <= max(grid.shape) < 36
    needed = stored.extent / stored.extent.max() * 32
    assert (np.sort(grid.shape) >= np.sort(needed) - 0.02).all()
    np.testing.assert_allclose(grid.centre, stored.centre, atol=zoom * 40)


@pytest.mark.parametrize("spacing", [0.5, 1.3, 3.0, 50.0])
@pytest.mark.parametrize("cells", [1, 2, 8])
def test_the_grid_covers_the_image_evenly(rng, spacing, cells):
    image = _image(rng)
    grid = working_grid(image.grid, (spacing, spacing, None), (cells, cells, 1))
    assert grid.spacing == pytest.approx((spacing, spacing, 8.0))
    assert grid.shape[2] == 6
    assert all(n % cells == 0 for n in grid.shape[:2])
    corners = np.array(list(itertools.product(*[(-0.5, n - 0.5) for n in image.shape])))
    world = corners @ image.affine[:3, :3].T + image.affine[:3, 3]
    inverse = np.linalg.inv(grid.affine)
    voxels = world @ inverse[:3, :3].T + inverse[:3, 3]
    before = voxels.min(axis=0) + 0.5
    after = np.asarray(grid.shape) - 0.5 - voxels.max(axis=0)
    assert (before > -0.011).all()
    assert (after > -0.011).all()
    # No more than the multiple asks for, and the same on both sides but for a voxel.
    assert (before + after < np.array([cells, cells, 1]) + 1).all()
    assert (np.abs(before - after) <= 1 + 1e-9).all()


def test_a_left_handed_file_is_not_mirrored(rng):
    """A corner that is marked in the world is found at its place on the grid."""
    image = _image(rng, angle=0.2)
    array = np.zeros(image.shape, np.float32)
    array[2, 3, 1] = 1
    for storage in _storages(3):
        stored = store_otherwise(image.with_array(array), *storage)
        pair = prepare_pair(
            stored, stored, _config(intensity={"clip_percentiles": None})
        )
        index = np.unravel_index(np.argmax(pair.fixed), pair.fixed.shape)
        place = pair.grid.affine @ [*index, 1]
        expected = image.affine @ [2, 3, 1, 1]
        np.testing.assert_allclose(place, expected, atol=1e-6)


def test_both_images_are_sampled_at_the_same_places(rng):
    """An image linear in the world is the same from any grid."""
    weights = np.array([0.004, -0.006, 0.003])
    fixed_affine = _affine(3, 0.25)
    moving_affine = _affine(3, -0.4, (1.1, 1.4, 5.0))
    shape = (30, 26, 14)
    middle = (np.array([*SHAPES[3]]) / 2, np.array(shape) / 2)
    moving_affine[:3, 3] += fixed_affine[:3, :3] @ middle[0]
    moving_affine[:3, 3] -= moving_affine[:3, :3] @ middle[1]
    images = [
        Image(_world(affine, size) @ weights, affine)
        for affine, size in ((fixed_affine, SHAPES[3]), (moving_affine, shape))
    ]
    intensity = {"clip_percentiles": None, "clip_values": [-2, 2]}
    pair = prepare_pair(*images, _config(intensity=intensity))
    expected = (_world(pair.grid.affine, pair.grid.shape) @ weights + 2) / 4
    inner = (expected > 0) & pair.mask
    # Away from the moving image's edge, where it isn't linear after filtering.
    voxels = np.linalg.inv(moving_affine) @ pair.grid.affine
    position = _world(voxels, pair.grid.shape)
    inner &= ((position > 3) & (position < np.array(shape) - 4)).all(axis=-1)
    assert inner.sum() > 200
    assert pair.fixed.dtype == pair.moving.dtype == np.float32
    np.testing.assert_allclose(pair.fixed[inner], expected[inner], atol=1e-5)
    np.testing.assert_allclose(pair.moving[inner], expected[inner], atol=1e-4)
    assert (pair.moving[~pair.mask & (pair.fixed > 0)] == 0).any()


def test_the_end_slices_survive_a_small_shift(rng):
    """As in Transform.resample, a voxel reaches half a voxel beyond its centre."""
    image = Image(np.ones(SHAPES[3], np.float32), np.diag([1.0, 1, 8, 1]))
    image.array[0] = 0
    affine = image.affine.copy()
    affine[2, 3] += 3.9
    config = _config(cells=1, intensity={"clip_percentiles": None})
    pair = prepare_pair(image, Image(image.array, affine), config)
    assert pair.mask.all()
    np.testing.assert_allclose(pair.moving[1:], 1, atol=1e-6)
    affine[2, 3] += 0.2
    pair = prepare_pair(image, Image(image.array, affine), config)
    assert not pair.mask[..., 0].any()
    assert (pair.moving[..., 0] == 0).all()


@pytest.mark.parametrize("method", ["header", "centers", "mass"])
def test_initial_alignment_lays_the_same_points_onto_each_other(rng, method):
    array = np.zeros((20, 18, 9), np.float32)
    array[4:9, 5:12, 2:5] = rng.uniform(0.5, 1, (5, 7, 3))
    fixed = Image(array, _affine(3, 0.2))
    shift = np.array([100.0, -40.0, 7.0])
    moved_affine = fixed.affine.copy()
    moved_affine[:3, 3] += shift
    matrix = initial_alignment(fixed, Image(array, moved_affine), method)
    np.testing.assert_array_equal(matrix[:, :3], np.eye(4)[:, :3])
    expected = np.zeros(3) if method == "header" else shift
    np.testing.assert_allclose(matrix[:3, 3], expected, atol=1e-9)
    if method != "header":
        pair = prepare_pair(
            fixed, Image(array, moved_affine), _config(initial_alignment=method)
        )
        np.testing.assert_allclose(pair.moving, pair.fixed, atol=1e-5)
    # The two differ where the object isn't in the middle of its volume.
    cropped = Image(array[2:], moved_affine @ np.array(
        [[1, 0, 0, 2], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]
    ))  # fmt: skip
    matrix = initial_alignment(fixed, cropped, method)
    half = fixed.affine[:3, 0] if method == "centers" else 0
    np.testing.assert_allclose(matrix[:3, 3], expected + half, atol=1e-5)


def test_a_coarser_grid_is_free_of_aliasing(rng):
    """Alternating voxels average out; a grid as fine as the image keeps them."""
    stripes = np.zeros((64, 48), np.float32)
    stripes[::2] = 1
    image = Image(stripes, np.eye(3))
    coarse = prepare_pair(image, image, _config(2, 1, spacing=4.3)).fixed[2:-2, 2:-2]
    assert coarse.std() < 0.02
    assert coarse.mean() == pytest.approx(0.5, abs=0.02)
    fine = prepare_pair(image, image, _config(2, 1)).fixed
    np.testing.assert_array_equal(fine, stripes)


def test_labels_are_taken_from_the_nearest_voxel(rng):
    labels = rng.choice([0, 3, 517, -12], SHAPES[3]).astype(np.int16)
    image = Image(labels, _affine(3))
    grid = working_grid(image.grid, (None, None, None), (8, 8, 1))
    shift = np.eye(4)
    shift[:3, 3] = 0.3 * image.affine[:3, 2]
    taken = to_working_grid(image, grid, Transform((Affine(shift),)))
    assert taken.dtype == np.int16
    assert taken.shape == grid.shape
    # Less than half a voxel away, also beyond the centre of the last slice.
    pair = prepare_pair(image, image, _config(cells=[8, 8, 1]))
    np.testing.assert_array_equal(
        np.bincount(taken[pair.mask].astype(np.int64) + 12),
        np.bincount(labels.ravel().astype(np.int64) + 12),
    )
    assert (taken[~pair.mask] == 0).all()


@pytest.mark.parametrize("dtype", ["u1", "i1", ">i2", "u2", "i4", "i8", "f4", ">f8"])
def test_intensities_are_clipped_and_scaled_whatever_their_type(rng, dtype):
    array = rng.integers(0, 128, (9, 7, 5)).astype(dtype)
    array[0, 0, :2] = [0, 127]
    before = array.copy()
    by_values = Intensity(clip_values=(32, 96), clip_percentiles=None)
    scaled = scale_intensities(array, by_values, "fixed")
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, np.clip((array - 32.0) / 64, 0, 1), atol=1e-6)
    by_percentiles = Intensity(clip_percentiles=(10, 90))
    low, high = np.percentile(array, (10, 90))
    expected = np.clip((array - low) / (high - low), 0, 1)
    scaled = scale_intensities(array, by_percentiles, "fixed")
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, expected, atol=1e-6)
    unclipped = scale_intensities(array, Intensity(clip_percentiles=None), "fixed")
    np.testing.assert_allclose(unclipped, array / 127.0, atol=1e-6)
    np.testing.assert_array_equal(array, before)


def test_small_differences_of_large_integers_survive():
    array = np.arange(10, dtype=np.int32).reshape(5, 2) + 2_000_000_000
    scaled = scale_intensities(array, Intensity(clip_percentiles=None), "fixed")
    np.testing.assert_allclose(scaled, np.arange(10).reshape(5, 2) / 9, atol=1e-6)


def test_a_small_object_on_a_wide_background_is_not_clipped_away():
    array = np.zeros((40, 40), np.uint8)
    array[3, 4] = 200
    scaled = scale_intensities(array, Intensity(), "fixed")
    assert scaled[3, 4] == 1
    assert scaled.sum() == 1


def test_what_cannot_be_registered_is_refused(rng):
    image, flat = _image(rng), _image(rng, 2)
    with pytest.raises(InputError, match="the moving image is 2-d, of shape"):
        prepare_pair(image, flat, _config())
    with pytest.raises(InputError, match=r"fixed image is 3-d, of shape.* 3-d model"):
        prepare_pair(image, image, _config(2))
    slice_ = Image(image.array[..., :1], image.affine)
    with pytest.raises(InputError, match=r"moving image has the shape.* two slices"):
        prepare_pair(slice_, image, _config(2))
    constant = image.with_array(np.full(image.shape, 7, np.int16))
    with pytest.raises(InputError, match="the fixed image is constant"):
        prepare_pair(constant, image, _config())
    above = {"clip_percentiles": None, "clip_values": [2000, 3000]}
    with pytest.raises(InputError, match="constant between the intensities 2000 and"):
        prepare_pair(image, image, _config(intensity=above))
    broken = image.array.copy()
    broken[1, 2, 3] = np.inf
    with pytest.raises(InputError, match="the moving image has infinite voxels"):
        prepare_pair(image, image.with_array(broken), _config())


@pytest.mark.parametrize("side", ["fixed", "moving"])
def test_voxels_without_a_value_count_like_those_outside_of_a_mask(rng, side):
    """The same pair, mask and intensities, whatever was there instead of NaN."""
    images = {name: _image(rng) for name in ("fixed", "moving")}
    missing = rng.random(images[side].shape) < 0.02
    array = images[side].array.astype(np.float32)
    masked = images[side].with_array(np.where(missing, np.nan, array))
    pair = prepare_pair(**{**images, side: masked}, config=_config())
    other = pair.mask if side == "fixed" else pair.moving_mask
    assert other is not None
    assert np.isfinite(getattr(pair, side)).all()
    absurd = images[side].with_array(np.where(missing, 1e6, array))
    inside = {f"{side}_mask": absurd.with_array(~missing)}
    intensity = {
        "clip_percentiles": None,
        "clip_values": [float(array[~missing].min()), float(array[~missing].max())],
    }
    plain = prepare_pair(
        **{**images, side: masked}, config=_config(intensity=intensity)
    )
    likewise = prepare_pair(
        **{**images, side: absurd}, config=_config(intensity=intensity), **inside
    )
    seen = getattr(likewise, f"{side}_mask") & likewise.mask
    ours = plain.mask if side == "fixed" else plain.mask & plain.moving_mask
    assert 0.2 < ours.mean() < prepare_pair(**images, config=_config()).mask.mean()
    np.testing.assert_array_equal(ours, seen)
    np.testing.assert_allclose(
        getattr(plain, side)[ours], getattr(likewise, side)[ours], atol=1e-3
    )


def test_images_that_do_not_overlap_are_refused_with_a_way_out(rng):
    image = _image(rng)
    far = image.affine.copy()
    far[:3, 3] += [500.0, 0, 0]
    apart = Image(image.array, far)
    with pytest.raises(InputError, match=r"don't overlap.* 500 mm apart.*centers"):
        prepare_pair(image, apart, _config())
    pair = prepare_pair(image, apart, _config(initial_alignment="centers"))
    np.testing.assert_allclose(pair.fixed, pair.moving, atol=1e-5)


def _part(image, start, stop, axis=0):
    """A mask of a part of an image along an axis, from and to shares of it."""
    place = np.indices(image.shape)[axis] / image.shape[axis]
    return image.with_array((place >= start) & (place < stop))


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("alignment", ["header", "centers"])
def test_masks_lie_on_their_images_however_these_are_stored(ndim, alignment, rng):
    """Inside the masks both images are bright, and each has a place of its own."""
    fixed, moving = _image(rng, ndim), _image(rng, ndim, origin=(-28.0, 15.0, 77.0))
    for order in itertools.permutations(range(ndim)):
        images, masks = [], {}
        for name, image, axis, part in (
            ("fixed_mask", fixed, 0, (0.0, 0.8)),
            ("moving_mask", moving, 1, (0.2, 1.0)),
        ):
            stored = store_otherwise(image, order, [True] * ndim)
            mask = store_otherwise(_part(image, *part, axis), order, [True] * ndim)
            images.append(stored.with_array(np.where(mask.array, 900.0, 100.0)))
            masks[name] = mask
        config = _config(ndim, initial_alignment=alignment)
        pair = prepare_pair(*images, config, **masks)
        for image, mask in (
            (pair.fixed, pair.fixed_mask),
            (pair.moving, pair.moving_mask),
        ):
            assert mask.dtype == bool
            assert 0.1 < mask[pair.mask].mean() < 0.9
            assert image[mask & pair.mask].min() > 0.49
            assert image[~mask & pair.mask].max() < 0.51
        assert prepare_pair(*images, config).fixed_mask is None


def test_masks_do_not_change_the_images(rng):
    image = _image(rng)
    plain = prepare_pair(image, image, _config())
    pair = prepare_pair(image, image, _config(), fixed_mask=_part(image, 0, 0.5))
    np.testing.assert_array_equal(pair.fixed, plain.fixed)
    np.testing.assert_array_equal(pair.mask, plain.mask)
    assert pair.moving_mask is None


def test_masks_that_leave_nothing_are_refused(rng):
    image = _image(rng)
    lower, upper = _part(image, 0, 0.5), _part(image, 0.5, 1)
    with pytest.raises(InputError, match=r"^fixed_mask and moving_mask: no voxel"):
        prepare_pair(image, image, _config(), fixed_mask=lower, moving_mask=upper)
    # Only the upper half of the fixed image has a moving one beneath it.
    affine = image.affine.copy()
    affine[:-1, -1] += affine[:-1, 0] * (image.shape[0] // 2 + 2)
    apart = Image(image.array, affine)
    with pytest.raises(InputError, match=r"^fixed_mask: no voxel"):
        prepare_pair(image, apart, _config(), fixed_mask=lower)
    far = _part(apart, 0.5, 1)
    with pytest.raises(InputError, match=r"^moving_mask: no voxel"):
        prepare_pair(image, apart, _config(), moving_mask=far)
    assert prepare_pair(image, apart, _config(), fixed_mask=upper).mask.any()
