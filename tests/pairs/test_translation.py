"""The shift of a body is found wherever its images lie, and its couch doesn't pull."""

import numpy as np
import pytest
from made_chest import grid_about, lungs, scan
from scipy.spatial.transform import Rotation

from dlir_tf.config import Config, Intensity
from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.pairs.intensities import scale_intensities
from dlir_tf.pairs.loading import load_pair
from dlir_tf.pairs.manifest import read_manifest
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.pairs.translation import find_translation

CLIP = Intensity(clip_percentiles=None, clip_values=(-1000, 0))
OBLIQUE = Rotation.from_euler("xyz", [9, -6, 14], degrees=True).as_matrix()
FLIPPED = OBLIQUE[:, [1, 0, 2]] * [1, -1, -1]
WHOLE = grid_about([0, -35, 0], (97, 85, 41), (4.2, 3.9, 6.1))
# Of the coarse grid that is searched on: WHOLE is 407 × 332 × 250 mm.
COARSE = (407 * 332 * 250) ** (1 / 3) / 64


def scaled(image):
    return image.with_array(scale_intensities(image.array, CLIP, "fixed"))


@pytest.mark.parametrize(
    ("shift", "moving_grid"),
    [
        # Headers that lie, grids that are oblique, flipped and of another spacing.
        ((31.0, -18.0, 37.0), grid_about([31, -18, 30], (81, 69, 57), (4.4, 4.1, 4.3))),
        (
            (-44.0, 12.0, 71.0),
            grid_about([-40, 0, 75], (75, 99, 45), (4.1, 4.3, 5.9), FLIPPED),
        ),
        # One lung alone is left of it, cut off below.
        ((7.0, 9.0, -33.0), grid_about([70, 10, -5], (35, 53, 31), (3.7, 3.9, 5.1))),
        (
            (12.0, -7.0, 28.0),
            grid_about([-55, -5, 60], (39, 49, 25), (3.6, 4.4, 6.3), OBLIQUE),
        ),
    ],
)
def test_a_known_shift_is_found_to_less_than_a_coarse_voxel(shift, moving_grid):
    fixed = scan(WHOLE)
    moving = scan(moving_grid, shift, seed=1)
    found = find_translation(scaled(fixed), scaled(moving))
    assert np.abs(found - shift).max() < 0.5 * COARSE
    # And back, where the smaller one is fixed.
    found = find_translation(scaled(moving), scaled(fixed))
    assert np.abs(found + shift).max() < 0.5 * COARSE


def test_a_couch_that_stays_does_not_pull():
    shift = np.array([0.0, 22.0, -35.0])
    fixed, moving = scaled(scan(WHOLE)), scaled(scan(WHOLE, shift, seed=1))
    found = find_translation(fixed, moving)
    bare = find_translation(
        scaled(scan(WHOLE, with_couch=False)),
        scaled(scan(WHOLE, shift, with_couch=False, seed=1)),
    )
    assert np.abs(found - shift).max() < 0.5 * COARSE
    assert np.linalg.norm(found - bare) < 0.4 * COARSE


def test_with_masks_only_what_is_inside_counts():
    """The ribs go another way than the lungs."""
    lung_shift, body_shift = np.array([4.0, 8.0, 26.0]), np.array([0.0, -12.0, 0.0])
    inside = lungs(WHOLE, lung_shift)
    moving = np.where(
        inside.array,
        scan(WHOLE, lung_shift, seed=1).array,
        scan(WHOLE, body_shift, seed=1).array,
    )
    masks = lungs(WHOLE).array, inside.array
    found = find_translation(
        scaled(scan(WHOLE)), scaled(inside.with_array(moving)), masks
    )
    assert np.abs(found - lung_shift).max() < 0.5 * COARSE


@pytest.mark.parametrize(("masked", "most"), [(True, 4.6), (False, 7.5)])
def test_a_real_pair_is_found_where_its_headers_leave_it_35_mm_apart(
    shared_data, masked, most
):
    """The best shift of all leaves 4.0 mm between its landmarks."""
    loaded = load_pair(read_manifest(shared_data / "lung.csv")[0])
    masks = loaded.fixed_mask.array, loaded.moving_mask.array
    images = scaled(loaded.fixed), scaled(loaded.moving)
    found = find_translation(*images, masks if masked else (None, None))
    fixed, moving = loaded.points
    assert np.linalg.norm(fixed - moving, axis=1).mean() > 35
    assert np.linalg.norm(fixed + found - moving, axis=1).mean() < most


def test_slices_are_searched_in_their_plane():
    first, second = np.zeros((2, 61, 47), np.float32)
    first[20:31, 14:22] = second[33:44, 5:13] = 0.8
    first[24:28, 30:33] = second[37:41, 21:24] = 0.4
    affine = np.array([[0, -1.5, 90], [1.2, 0, -7], [0, 0, 1.0]])
    found = find_translation(Image(first, affine), Image(second, affine))
    np.testing.assert_allclose(found, affine[:2, :2] @ [13, -9], atol=0.3)


def test_nothing_alike_is_left_where_it_is():
    ramp = np.linspace(0, 1, 40 * 30 * 8, dtype=np.float32).reshape(40, 30, 8)
    images = Image(ramp, np.eye(4)), Image(1 - ramp, np.eye(4))
    np.testing.assert_array_equal(find_translation(*images), 0)


def test_the_working_grid_is_aligned_by_the_search_inside_masks():
    shift = np.array([25.0, -14.0, 180.0])  # beyond the header's overlap
    grid = grid_about([25, -29, 180], (89, 73, 45), (4.5, 4.0, 5.5))
    config = Config.model_validate(
        {
            "ndim": 3,
            "spacing": 6.0,
            "initial_alignment": "search",
            "intensity": CLIP.model_dump(),
            "stages": [
                {"transform": "bspline", "downsample": 1, "control_point_spacing": 4}
            ],
        }
    )
    fixed, moving = scan(WHOLE), scan(grid, shift, seed=1)
    pair = prepare_pair(
        fixed,
        moving,
        config,
        fixed_mask=lungs(WHOLE),
        moving_mask=lungs(grid, shift),
    )
    assert np.abs(pair.initial.affine_part[:3, 3] - shift).max() < 0.5 * COARSE
    both = pair.fixed_mask & pair.moving_mask & pair.mask
    assert np.corrcoef(pair.fixed[both], pair.moving[both])[0, 1] > 0.8
    far = config.model_copy(update={"initial_alignment": "header"})
    with pytest.raises(InputError, match="fixed_mask and moving_mask: no voxel"):
        prepare_pair(
            fixed,
            moving,
            far,
            fixed_mask=lungs(WHOLE),
            moving_mask=lungs(grid, shift + np.array([0, 0, 60])),
        )
