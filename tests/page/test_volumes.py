"""Volumes for the viewer: where voxels go, and what they are worth then."""

import base64
import gzip

import nibabel as nib
import numpy as np
import pytest
from made_pages import oblique_affine

from dlir_tf.images import Grid, Image
from dlir_tf.page.shrinking import Shrinking, shrinking_to, shrunk
from dlir_tf.page.volumes import encode, layout_of, window_of

AFFINES = [
    np.diag([1.0, 2, 3, 1]),
    np.diag([-1.0, 2, -3, 1]),
    oblique_affine(),
    np.array([[0.0, 0, 2, 5], [-1, 0, 0, 6], [0, 3, 0, 7], [0, 0, 0, 1]]),
]


def as_nibabel(volume):
    raw = gzip.decompress(base64.b64decode(volume.text))
    return nib.Nifti1Image.from_bytes(raw)


@pytest.mark.parametrize("affine", AFFINES)
def test_a_laid_out_voxel_keeps_its_value_and_its_place(affine, rng):
    grid = Grid((5, 6, 7), affine)
    array = rng.integers(-300, 900, grid.shape).astype(np.int16)
    layout = layout_of(grid)
    volume = encode(
        layout.lay(array), layout.affine, (-300, 900), (0.0, 500.0), deep=True
    )
    image = as_nibabel(volume)
    values = image.get_fdata()
    for voxel in ([0, 0, 0], [4, 1, 6], [2, 5, 3]):
        place = np.linalg.inv(image.affine) @ [*grid.to_world(np.array(voxel)), 1]
        found = values[tuple(np.rint(place[:3]).astype(int))]
        assert found == array[tuple(voxel)]
    assert nib.aff2axcodes(image.affine) == ("R", "A", "S")
    assert (image.header["cal_min"], image.header["cal_max"]) == (0, 500)


def test_eight_bits_are_within_half_a_step_and_clip_beyond_the_limits(rng):
    array = rng.uniform(-2000, 4000, (6, 5, 4))
    volume = encode(array, np.eye(4), (-1000, 3000), (0.0, 500.0), deep=False)
    image = as_nibabel(volume)
    assert image.get_data_dtype() == np.uint8
    expected = np.clip(array, -1000, 3000)
    assert np.abs(image.get_fdata() - expected).max() <= 4000 / 255 / 2 + 1e-3


def test_what_is_not_known_is_the_lowest_value():
    array = np.array([[[np.nan, 3.0, 7.0]]])
    volume = encode(array, np.eye(4), window_of(array, (0, 100)), (3, 7), deep=True)
    np.testing.assert_allclose(as_nibabel(volume).get_fdata(), [[[3, 3, 7]]], atol=1e-3)


def test_a_coarser_voxel_is_the_mean_of_those_it_stands_for_and_in_their_middle(rng):
    grid = Grid((7, 6, 4), oblique_affine())
    array = rng.normal(size=grid.shape).astype(np.float32)
    shrinking = Shrinking(grid, (2, 3, 1))
    coarse = shrinking.mean(array)
    assert coarse.shape == shrinking.coarse.shape == (4, 2, 4)
    np.testing.assert_allclose(
        coarse[1, 1, 2], array[2:4, 3:6, 2].mean(), rtol=0, atol=1e-6
    )
    np.testing.assert_allclose(
        shrinking.coarse.to_world(np.array([1, 1, 2])),
        grid.to_world(np.array([2.5, 4, 2])),
    )
    folds = np.zeros(grid.shape, bool)
    folds[6, 5, 3] = True
    assert np.argwhere(shrinking.any(folds)).tolist() == [[3, 1, 3]]


def test_the_finest_axis_gets_coarser_first():
    grid = Grid((512, 512, 300), np.diag([0.7, 0.7, 1.0, 1]))
    assert shrinking_to(grid, 2e7).factors == (2, 2, 1)
    assert shrinking_to(grid, 1e7).factors == (2, 2, 2)
    assert shrinking_to(grid, 1e9).is_whole
    assert shrinking_to(Grid((1, 1, 9), np.eye(4)), 2).coarse_size == 2


def test_an_image_shrinks_towards_a_spacing_but_not_beyond_it(rng):
    image = Image(rng.normal(size=(10, 9, 3)), np.diag([1.0, 1.0, 5.0, 1]))
    small = shrunk(image, 2.4)
    assert small.spacing == (2.0, 2.0, 5.0)
