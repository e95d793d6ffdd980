"""Atlases: label images of any grid become maps of one shape."""

import nibabel as nib
import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.synthesis.atlases import SIZE, arrays_digest, read_atlases


def write(path, array, spacing=(1.0, 1.0, 1.0)):
    nib.save(nib.Nifti1Image(array, np.diag([*spacing, 1.0])), path)


def test_labels_keep_their_places_and_voxels_become_cubes(tmp_path):
    labels = np.zeros((10, 20, 5), np.uint16)
    labels[:5, :10] = 900
    labels[5:, 10:] = 40
    write(tmp_path / "brain.nii.gz", labels, (2.0, 1.0, 2.0))
    (atlas,) = read_atlases(tmp_path, 3)
    assert atlas.shape == (SIZE,) * 3
    assert atlas.dtype == np.int32
    assert set(np.unique(atlas)) == {0, 1, 2}
    # 20 by 20 by 10 mm: half of the last axis is filled up.
    empty = (atlas == 0).all(axis=(0, 1))
    assert empty.sum() == SIZE // 2
    quarter = SIZE // 4
    assert (atlas[: 2 * quarter, : 2 * quarter, quarter : 3 * quarter] == 2).all()
    assert (atlas[2 * quarter :, 2 * quarter :, quarter : 3 * quarter] == 1).all()


def test_grey_values_are_cut_into_classes(tmp_path):
    ramp = np.zeros((24, 24, 24), np.float32)
    ramp[4:20, 4:20, 4:20] = np.linspace(100, 900, 4096).reshape(16, 16, 16)
    write(tmp_path / "t1.nii", ramp)
    (atlas,) = read_atlases(tmp_path, 3)
    values, counts = np.unique(atlas, return_counts=True)
    assert list(values) == list(range(9))
    assert counts[1:].max() < 1.5 * counts[1:].min()
    assert (atlas == 0).mean() > 0.5


@pytest.mark.parametrize("lowest", [100, -1000])
def test_voxels_without_a_value_are_background(tmp_path, lowest):
    """As where a scan was masked; classes are cut of the others, a CT's as well."""
    ramp = np.full((24, 24, 24), np.nan, np.float32)
    ramp[4:20, 4:20, 4:20] = np.linspace(lowest, 900, 4096).reshape(16, 16, 16)
    write(tmp_path / "t1.nii", ramp)
    (atlas,) = read_atlases(tmp_path, 3)
    assert set(np.unique(atlas)) == set(range(9))
    step = SIZE // 24
    assert (atlas[: 4 * step] == 0).all()
    middle = slice(6 * step, 18 * step)
    assert (atlas[middle, middle, middle] > 0).all()


def test_slices_are_taken_for_2_d(tmp_path):
    labels = np.zeros((8, 8, 8), np.uint8)
    labels[2:6, 2:6, 2:6] = 3
    write(tmp_path / "a.nii.gz", labels)
    slices = read_atlases(tmp_path, 2)
    assert len(slices) > 10
    assert {array.shape for array in slices} == {(SIZE, SIZE)}
    assert all((array > 0).any() for array in slices)


def test_folders_without_atlases_are_refused(tmp_path):
    with pytest.raises(InputError, match="no such folder of atlases"):
        read_atlases(tmp_path / "none", 3)
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(InputError, match="no image in this folder"):
        read_atlases(tmp_path, 3)


def test_digests_tell_atlases_apart():
    one, other = np.zeros((2, 3), np.int32), np.zeros((3, 2), np.int32)
    assert arrays_digest([one]) != arrays_digest([other])
    assert arrays_digest([one]) == arrays_digest([one.copy()])
