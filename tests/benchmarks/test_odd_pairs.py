"""The truth of odd pairs: what a voxel shows is there, where it should go."""

import numpy as np
import pytest
from odd_files.body import generated
from odd_files.cases import CASES, make_pair
from scipy import ndimage

from dlir_tf.images.grid import apply_affine

ALIKE = ("nothing odd", "turned by", "origin", "microns", "axes", "shifted")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_moving_voxels_are_where_the_truth_says(case):
    flat = 2 in case.ndim
    pair = make_pair(case, generated(1, flat), 1)
    assert pair.goes_to.shape == (*pair.fixed.shape, pair.fixed.ndim)
    assert pair.counts.any()
    if not case.name.startswith(ALIKE):
        return
    voxels = apply_affine(pair.moving.grid.inverse, pair.goes_to[pair.counts])
    there = ndimage.map_coordinates(pair.moving.array, voxels.T, order=1)
    here = pair.fixed.array[pair.counts]
    assert np.corrcoef(here, there)[0, 1] > 0.9


def test_names_are_different():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
