"""Padding of a CT counts neither in intensities nor in what is compared."""

import dataclasses

import numpy as np
import pytest
from made_chest import grid_about, scan

from dlir_tf.config import Config, Intensity
from dlir_tf.evaluation.measures import measure
from dlir_tf.images import write_image
from dlir_tf.pairs.intensities import scale_intensities
from dlir_tf.pairs.loading import LoadedPair
from dlir_tf.pairs.manifest import Pair
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.quality.comparison import Comparison
from dlir_tf.training.store import PairStore
from dlir_tf.transforms import Affine, Transform

GRID = grid_about([3, -30, 5], (83, 78, 13), (4.6, 4.8, 9.0))
SHIFT = np.array([9.2, -4.8, 0.0])  # mm; whole voxels of the grid: 2, -1, 0
CONFIG = Config.model_validate(
    {
        "ndim": 3,
        "spacing": [None] * 3,
        "intensity": {"clip_percentiles": [0.5, 99.5]},
        "stages": [
            {
                "transform": "bspline",
                "downsample": 1,
                "control_point_spacing": [8, 8, 4],
            }
        ],
    }
)


def outside(grid, radius, centre=(3.0, -30.0)):
    points = grid.to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    return np.hypot(points[..., 0] - centre[0], points[..., 1] - centre[1]) > radius


def padded(image, voxels, value):
    return image.with_array(np.where(voxels, value, image.array).astype(np.int16))


@pytest.fixture(scope="module")
def scans():
    """The chest and the same shifted, without padding; and where that will be."""
    kept = [
        scan(GRID, shift, with_couch=False, noise=5) for shift in ((0, 0, 0), SHIFT)
    ]
    return *kept, outside(GRID, 170.0), outside(GRID, 150.0, (20.0, -10.0))


@pytest.mark.parametrize("value", [-2048, -3024])
def test_percentiles_are_those_of_what_was_seen(scans, value):
    fixed, _, hidden, _ = scans
    limits = np.percentile(fixed.array[~hidden], [0.5, 99.5])
    array = padded(fixed, hidden, value).array
    found = scale_intensities(array, Intensity(), "fixed", hidden)
    expected = (np.clip(array, *limits) - limits[0]) / np.ptp(limits)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (found[hidden] == 0).all()
    # On the working grid as well, where nobody says where padding is.
    pair = prepare_pair(padded(fixed, hidden, value), fixed, CONFIG)
    np.testing.assert_allclose(
        np.sort(pair.fixed[pair.mask]), np.sort(expected[~hidden]), atol=1e-5
    )


@pytest.mark.parametrize("value", [-2048, -3024, -2000])
def test_the_pair_is_masked_where_either_is_padded(scans, value):
    fixed, moving, hidden_fixed, hidden_moving = scans
    pair = prepare_pair(
        padded(fixed, hidden_fixed, value), padded(moving, hidden_moving, value), CONFIG
    )
    whole = prepare_pair(fixed, moving, CONFIG)
    assert whole.moving_mask is None
    assert pair.mask.sum() == (~hidden_fixed).sum()
    assert pair.moving_mask.sum() == (~hidden_moving).sum()
    assert pair.fixed_mask is None


def test_the_similarity_is_that_of_what_both_show(scans):
    """Whatever the padding's value is, and although the two are padded differently."""
    fixed, moving, hidden_fixed, hidden_moving = scans
    config = CONFIG.model_copy(
        update={"intensity": Intensity(clip_percentiles=None, clip_values=(-1000, 300))}
    )
    matrix = np.column_stack([np.eye(3), [2.0, 1.0, 0.0]])  # flipped: voxels are RAS
    found = []
    for value in (-2048, -3024, -2000):
        pair = prepare_pair(
            padded(fixed, hidden_fixed, value),
            padded(moving, hidden_moving, value),
            config,
        )
        comparison = Comparison(pair, config)
        for sign in (1, -1):
            matrix[1, -1] = sign
            candidate = comparison.with_matrix(comparison.start(), matrix)
            found.append(comparison.judge(candidate).similarity)
    best = np.array(found).reshape(3, 2).max(axis=1)
    assert np.ptp(best) < 1e-6
    assert best[0] > 0.97
    # With padding seen as tissue that is darker than air, they were hardly alike.
    naive = prepare_pair(
        fixed.with_array(np.where(hidden_fixed, 300, fixed.array)),
        moving.with_array(np.where(hidden_moving, 300, moving.array)),
        config,
    )
    comparison = Comparison(naive, config)
    candidate = comparison.with_matrix(comparison.start(), matrix)
    assert comparison.judge(candidate).similarity < 0.9


def test_masks_and_padding_add_up(scans):
    fixed, moving, hidden_fixed, hidden_moving = scans
    mask = np.zeros(GRID.shape, bool)
    mask[10:60, 8:70] = True
    pair = prepare_pair(
        padded(fixed, hidden_fixed, -2048),
        padded(moving, hidden_moving, -2048),
        CONFIG,
        fixed_mask=fixed.with_array(mask),
        moving_mask=moving.with_array(mask),
    )
    assert pair.fixed_mask.sum() == mask.sum()
    assert pair.moving_mask.sum() == (mask & ~hidden_moving).sum()


def test_evaluation_measures_what_both_have_seen(scans):
    fixed, moving, hidden_fixed, hidden_moving = scans
    shift = np.eye(4)
    shift[:3, 3] = SHIFT
    loaded = LoadedPair(
        padded(fixed, hidden_fixed, -2048), padded(moving, hidden_moving, -3024)
    )
    whole = LoadedPair(fixed, moving)
    transform = Transform((Affine(shift),))
    found = measure(loaded, transform).ncc
    masked = dataclasses.replace(
        whole,
        fixed_mask=fixed.with_array(~hidden_fixed),
        moving_mask=moving.with_array(~hidden_moving),
    )
    assert found == pytest.approx(measure(masked, transform).ncc, abs=1e-9)


def test_training_samples_have_masks_for_padding(scans, tmp_path):
    fixed, moving, hidden_fixed, hidden_moving = scans
    write_image(tmp_path / "f.nii.gz", padded(fixed, hidden_fixed, -2048))
    write_image(tmp_path / "m.nii.gz", padded(moving, hidden_moving, -2048))
    pair = Pair(tmp_path / "f.nii.gz", tmp_path / "m.nii.gz", place="here")
    store = PairStore([pair], CONFIG, tmp_path / "cache")
    store.fill()
    assert store.masks == ("moving_mask",)
    sample = store.load(0)
    assert sample.mask.sum() == (~hidden_fixed).sum()
    assert sample.moving_mask.sum() == (~hidden_moving).sum()
