"""Labels: integers, that lie on their image."""

import numpy as np
import pytest
from nifti_files import SHAPE, oblique, save, voxels_of

from dlir_tf.errors import InputError
from dlir_tf.images import read_image, read_labels, read_labels_of


def test_labels_are_integers(tmp_path):
    values = voxels_of(dtype=np.float32)
    labels = read_labels(save(tmp_path / "a.nii", values))
    assert labels.array.dtype == np.int32
    np.testing.assert_array_equal(labels.array, values)
    assert read_labels(save(tmp_path / "b.nii", voxels_of())).array.dtype == np.int16
    values[1, 2, 3] = 0.5
    with pytest.raises(InputError, match=r"a\.nii.*1 voxel isn't, such as 0\.5"):
        read_labels(save(tmp_path / "a.nii", values))
    assert not read_labels(save(tmp_path / "c.nii", 0 * voxels_of())).array.any()
    with pytest.raises(InputError, match=r"4 volumes or channels"):
        read_labels(save(tmp_path / "d.nii", voxels_of((*SHAPE, 4))))


def test_whole_numbers_that_no_integer_holds_are_refused(tmp_path, recwarn):
    values = np.zeros(SHAPE)
    values[1, 2, 3] = 2.0**62
    labels = read_labels(save(tmp_path / "a.nii", values))
    assert labels.array.dtype == np.int64
    assert labels.array.max() == 2**62
    for wrong in (2.0**63, -1e300):
        values[0, 0, 0] = wrong
        with pytest.raises(InputError, match=r"a\.nii.* 64 bits at most, but reach"):
            read_labels(save(tmp_path / "a.nii", values))
    assert not recwarn.list


def test_of_overlapping_structures_the_first_is_read_and_that_is_said(tmp_path):
    """Prostates come like this: the gland first, then landmarks inside it."""
    structures = np.zeros((*SHAPE, 3))
    structures[1:4, 2:6, :, 0] = 1
    structures[2, 3, 1, 1] = structures[3, 4, 2, 2] = 1
    path = save(tmp_path / "a.nii", structures)
    with pytest.warns(UserWarning, match=r"a\.nii: has 3 volumes .* only the first"):
        labels = read_labels(path)
    np.testing.assert_array_equal(labels.array, structures[..., 0])
    assert labels.array.dtype == np.int32
    image = read_image(save(tmp_path / "image.nii", voxels_of()))
    with pytest.warns(UserWarning, match="only the first"):
        assert read_labels_of(path, image).shape == SHAPE
    with pytest.raises(InputError, match="3 volumes or channels"):
        read_image(path)
    structures[0, 0, 0, 1] = 2
    with pytest.raises(InputError, match="3 volumes or channels"):
        read_labels(save(tmp_path / "b.nii", structures))


def _labels_at(tmp_path, affine, **fields):
    return save(tmp_path / "labels.nii", voxels_of(seed=1), affine, **fields)


def test_labels_must_lie_on_their_image(tmp_path):
    image = read_image(save(tmp_path / "a.nii", voxels_of()))
    for voxels, lies_there in ((0.0, True), (0.45, True), (0.55, False)):
        shifted = oblique()
        shifted[:3, 3] += voxels * shifted[:3, 1]  # the axis of the smallest spacing
        path = _labels_at(tmp_path, shifted)
        if lies_there:
            labels = read_labels_of(path, image)
            np.testing.assert_array_equal(labels.affine, image.affine)
            np.testing.assert_array_equal(labels.array, voxels_of(seed=1))
        else:
            with pytest.raises(
                InputError, match=r"labels\.nii: .*elsewhere.* 0\.44 mm"
            ):
                read_labels_of(path, image)
    flipped = oblique() @ np.diag([-1, 1, 1, 1])
    flipped[:3, 3] += 4 * oblique()[:3, 0]  # the same place, other voxels
    with pytest.raises(InputError, match="elsewhere"):
        read_labels_of(_labels_at(tmp_path, flipped), image)
    other = save(tmp_path / "b.nii", voxels_of((5, 7, 3)))
    with pytest.raises(InputError, match=r"\(5, 7, 4\).*Received: \(5, 7, 3\)"):
        read_labels_of(other, image)


def test_labels_without_orientation_go_by_their_shape(tmp_path):
    image = read_image(save(tmp_path / "a.nii", voxels_of()))
    path = _labels_at(tmp_path, np.eye(4), sform_code=0, qform_code=0)
    with pytest.warns(UserWarning, match="no orientation"):
        labels = read_labels_of(path, image)
    np.testing.assert_array_equal(labels.affine, image.affine)
