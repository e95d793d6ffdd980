"""Breathing lungs: the motion is known, and the images have gone through it."""

import numpy as np
import pytest
from scipy import ndimage

from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.phantoms import breathe, breathing_pair, chest_ct

SHAPE, SPACING = (61, 53, 67), (5.4, 4.5, 4.7)
ROTATION = np.array([[0.96, -0.28, 0.0], [0.28, 0.96, 0.0], [0.0, 0.0, 1.0]])


def smooth_tissue(points):
    """HU of lungs that vary slowly; the waves are longer than many voxels."""
    x, y, z = np.moveaxis(points, -1, 0)
    return -820 + 60 * np.sin(x / 17) + 40 * np.cos(y / 21 + 1) * np.sin(z / 19)


@pytest.fixture(scope="module")
def thorax():
    """Smooth lungs, one ellipsoid, within water; flipped, oblique, far off."""
    affine = np.eye(4)
    affine[:3, :3] = ROTATION * (-3.1, 2.9, 4.2)
    affine[:3, 3] = 130.0, -90.0, -1300.0
    shape = (63, 71, 57)
    image = Image(np.zeros(shape, np.float32), affine)
    points = image.grid.points() - image.grid.centre
    mask = ((points / (75.0, 80.0, 100.0)) ** 2).sum(axis=-1) < 1
    array = np.where(mask, smooth_tissue(image.grid.points()), 30.0)
    return image.with_array(array), image.with_array(mask.astype(np.uint8))


@pytest.fixture(scope="module")
def chest():
    return chest_ct(2, shape=SHAPE, spacing=SPACING)


@pytest.fixture(scope="module", params=[4, 9])
def pair(chest, request):
    return breathing_pair(chest[0], request.param)


def determinants(motion, points):
    """Of a map's derivative, by central differences."""
    columns = [
        (motion(points + step) - motion(points - step)) / 2e-3
        for step in 1e-3 * np.eye(3)
    ]
    return np.linalg.det(np.stack(columns, axis=-1))


def inner(mask, num_voxels=2):
    """The voxels that lie deep in a mask, as world points."""
    core = ndimage.binary_erosion(mask.array > 0, iterations=num_voxels)
    return mask.grid.to_world(np.argwhere(core)), core


def weight(image, where):
    """Of tissue: what it has more than air, summed over voxels."""
    return (image.array[where].astype(np.float64) + 1000).sum()


def share_inside(mask, points):
    """How many of the points lie in a mask."""
    voxels = np.rint(mask.grid.to_voxels(points)).astype(int)
    inside = ((voxels >= 0) & (voxels < mask.shape)).all(axis=1)
    return (mask.array[tuple(voxels[inside].T)] > 0).sum() / len(points)


@pytest.mark.parametrize("seed", range(6))
def test_tissue_is_found_again_where_the_truth_says(thorax, seed):
    image, mask = thorax
    breathed = breathe(image, seed, mask=mask)
    points, core = inner(breathed.mask)
    origin = breathed.origin(points)
    thinned = determinants(breathed.origin, points)
    expected = (smooth_tissue(origin) + 1000) * thinned - 1000
    found = breathed.image.array[core]
    # Rounding to whole HU and linear interpolation cost less than this.
    assert np.abs(found - expected).max() < 12
    assert np.abs(found - expected).mean() < 2.5
    # It would be seen if tissue kept its density, or hadn't moved.
    assert np.abs(found - smooth_tissue(origin)).mean() > 10
    assert np.abs(found - smooth_tissue(points)).mean() > 10


@pytest.mark.parametrize("seed", range(6))
def test_lungs_keep_their_tissue_and_take_in_air(thorax, seed):
    image, mask = thorax
    breathed = breathe(image, seed, mask=mask)
    _, core = inner(mask)
    all_points = mask.grid.points().reshape(-1, 3)
    carried = np.rint(
        mask.grid.to_voxels(breathed.origin(all_points).reshape(*mask.shape, 3))
    )
    carried = np.clip(carried, 0, np.array(mask.shape) - 1).astype(int)
    there = core[tuple(np.moveaxis(carried, -1, 0))]
    assert weight(breathed.image, there) == pytest.approx(
        weight(image, core), rel=0.015
    )
    assert 1.03 < there.sum() / core.sum() < 1.6
    assert breathed.image.array[there].mean() < image.array[core].mean() - 5


def test_only_lungs_change_their_density(thorax):
    image, mask = thorax
    breathed = breathe(image, 3, mask=mask)
    wide = ndimage.binary_dilation(breathed.mask.array > 0, iterations=4)
    outside = breathed.image.array[~wide]
    assert set(np.unique(outside)) <= {30, -2048}
    assert (outside == 30).mean() > 0.9


@pytest.mark.parametrize("seed", range(8))
def test_the_diaphragm_goes_down_by_10_to_40_mm(thorax, seed):
    image, mask = thorax
    breathed = breathe(image, seed, mask=mask)
    points, _ = inner(mask, 1)
    down = -(breathed.destination(points) - points)[:, 2]
    assert 10 <= breathed.breath.descent <= 40
    assert abs(down.max() - breathed.breath.descent) < 8
    low = points[:, 2] < np.percentile(points[:, 2], 3)
    high = points[:, 2] > np.percentile(points[:, 2], 97)
    assert down[low].mean() > down[high].mean() + 0.6 * breathed.breath.descent
    # Front and sides go outwards.
    axis = points.mean(axis=0) - (0, 20, 0)
    away = (points - axis)[:, :2]
    moved = (breathed.destination(points) - points)[:, :2]
    assert (moved * away).sum() > 0


@pytest.mark.parametrize("seed", range(8))
def test_motion_is_one_to_one_and_can_be_inverted(thorax, seed):
    image, mask = thorax
    breathed = breathe(image, seed, mask=mask)
    rng = np.random.default_rng(seed)
    points = image.grid.centre + rng.uniform(-160, 160, (6000, 3))
    there = breathed.destination(points)
    np.testing.assert_allclose(breathed.origin(there), points, atol=1e-6)
    np.testing.assert_allclose(
        breathed.destination(breathed.origin(points)), points, atol=1e-6
    )
    grown = determinants(breathed.destination, points)
    assert grown.min() > 0.3
    assert grown.max() < 3.0


def test_the_order_and_direction_of_stored_axes_change_nothing(thorax):
    image, mask = thorax
    expected = breathe(image, 5, mask=mask)
    affine = image.affine[:, [2, 0, 1, 3]].copy()
    affine[:, 3] += (image.shape[2] - 1) * affine[:, 0]
    affine[:, 0] *= -1

    def restored(one):
        return Image(one.array.transpose(2, 0, 1)[::-1], affine)

    found = breathe(restored(image), 5, mask=restored(mask))
    np.testing.assert_array_equal(found.image.affine, affine)
    again = restored(expected.image).array
    np.testing.assert_allclose(found.image.array, again, atol=1)


def test_displacement_carries_lungs_onto_lungs(pair):
    points, _ = inner(pair.fixed.mask, 1)
    moved = points + pair.displacement(points)
    seen = pair.moving.mask.grid.contains(moved)
    assert share_inside(pair.moving.mask, moved[seen]) > 0.97
    np.testing.assert_allclose(
        moved + pair.inverse_displacement(moved), points, atol=1e-5
    )


def test_texture_moves_with_the_tissue(pair):
    points, core = inner(pair.fixed.mask, 1)
    moving = pair.moving.image
    moved = points + pair.displacement(points)
    voxels = np.moveaxis(moving.grid.to_voxels(moved), -1, 0)
    sampled = ndimage.map_coordinates(moving.array.astype(float), voxels, order=1)
    seen = moving.grid.contains(moved) & (sampled > -1300)
    fixed = pair.fixed.image.array[core]
    assert np.corrcoef(fixed[seen], sampled[seen])[0, 1] > 0.8
    # The nearest that headers come to it is far off.
    shifted = points + pair.moving.shift - pair.fixed.shift
    voxels = np.moveaxis(moving.grid.to_voxels(shifted), -1, 0)
    still = ndimage.map_coordinates(moving.array.astype(float), voxels, order=1)
    assert np.corrcoef(fixed[seen], still[seen])[0, 1] < 0.6


def test_landmarks_lie_in_both_lungs_and_belong_to_each_other(pair):
    fixed, moving = pair.landmarks(50, seed=3)
    assert fixed.shape == moving.shape == (50, 3)
    np.testing.assert_allclose(moving - fixed, pair.displacement(fixed), atol=1e-9)
    assert share_inside(pair.fixed.mask, fixed) > 0.97
    assert share_inside(pair.moving.mask, moving) > 0.97
    assert np.ptp(fixed, axis=0).min() > 40
    assert not np.array_equal(fixed, pair.landmarks(50, seed=4)[0])


def test_field_is_the_displacement_at_every_voxel(pair):
    field = pair.displacement_field()
    shape = pair.fixed.image.shape
    assert field.shape == (*shape, 3)
    voxels = np.random.default_rng(0).integers(0, shape, (30, 3))
    points = pair.fixed.image.grid.to_world(voxels)
    np.testing.assert_allclose(
        field[tuple(voxels.T)], pair.displacement(points), atol=1e-9
    )


def test_pairs_have_the_traps_of_real_ones(chest):
    pairs = [breathing_pair(chest[0], seed) for seed in range(8)]
    for pair in pairs:
        for side in (pair.fixed, pair.moving):
            assert side.image.array.dtype == np.int16
            assert side.image.spacing == pytest.approx(SPACING)
            outside = side.image.array == -2048
            assert (side.image.array[~outside] > -1500).all()
            assert not side.mask.array[outside].any()
            assert side.mask.array.any()
    sides = [side for pair in pairs for side in (pair.fixed, pair.moving)]
    assert sum((side.image.array == -2048).any() for side in sides) > 6
    apart = [np.linalg.norm(pair.moving.shift - pair.fixed.shift) for pair in pairs]
    assert np.mean(apart) > 20
    assert sum(pair.fixed.image.shape != pair.moving.image.shape for pair in pairs) > 5
    # Half of them show one lung, and either breath may be the fixed one.
    widths = [side.image.grid.extent[0] for side in sides]
    assert min(widths) < 180 < 220 < max(widths)
    deeper = [pair.moving.breath.descent > pair.fixed.breath.descent for pair in pairs]
    assert 0 < sum(deeper) < len(deeper)


def test_padding_is_never_mixed_with_tissue(thorax):
    image, mask = thorax
    array = image.array.copy()
    array[:9] = -3024
    breathed = breathe(image.with_array(array), 1, mask=mask)
    values = breathed.image.array
    assert (values == -2048).sum() > (array == -3024).sum() / 2
    assert ((values == -2048) | (values >= -1000)).all()


def test_seed_decides_everything(chest):
    first, again, other = (breathing_pair(chest[0], seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.fixed.image.array, again.fixed.image.array)
    np.testing.assert_array_equal(first.moving.image.affine, again.moving.image.affine)
    assert first.fixed.breath.descent != other.fixed.breath.descent


def test_unusable_images_and_masks_are_refused(thorax):
    image, mask = thorax
    scaled = image.with_array(image.array + 1200)
    for bad, message in (
        (Image(image.array[0], np.eye(3)), "must be 3-d"),
        (scaled, "must be in Hounsfield units"),
        (image.with_array(np.zeros(image.shape)), "must be in Hounsfield units"),
    ):
        with pytest.raises(InputError, match=message):
            breathe(bad, 1)
        with pytest.raises(InputError, match=message):
            breathing_pair(bad, 1, mask=mask)
    with pytest.raises(InputError, match="the mask is empty"):
        breathe(image, 1, mask=mask.with_array(np.zeros_like(mask.array)))
    with pytest.raises(InputError, match="on its image's grid"):
        breathe(image, 1, mask=Image(mask.array[1:], mask.affine))


def test_images_are_moved_by_slabs_as_at_once(thorax, monkeypatch):
    image, mask = thorax
    for num_voxels in (1, 10**9):
        monkeypatch.setattr("dlir_tf.phantoms.carrying._SLAB_VOXELS", num_voxels)
        breathed = breathe(image, 4, mask=mask)
        if num_voxels == 1:
            by_rows = breathed
    np.testing.assert_array_equal(by_rows.image.array, breathed.image.array)
    np.testing.assert_array_equal(by_rows.mask.array, breathed.mask.array)
