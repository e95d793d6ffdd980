"""Labels of one frame in all of them."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.images import Frames, Image
from dlir_tf.series.labels import ejection_fractions, labels_in_frames, volumes
from dlir_tf.series.tracking import Tracking
from dlir_tf.transforms import Affine, Transform


def shifted(*steps, reference=0):
    """A tracking whose frames lie so many mm further along the first axis."""
    affine = np.diag([2.0, 1.5, 4.0, 1.0])
    image = Image(np.zeros((20, 15, 4), np.int16), affine)
    moves = []
    for step in steps:
        matrix = np.eye(4)
        matrix[0, 3] = step - steps[reference]
        moves.append(Transform((Affine(matrix),)))
    frames = Frames((image,) * len(steps), 0.05, "sec")
    return Tracking(frames, image, reference, tuple(moves), frames, (), ())


def block(start):
    """Labels 1 and 7, from a row on."""
    array = np.zeros((20, 15, 4), np.uint8)
    array[start : start + 4, 4:9, 1:3] = 1
    array[start + 4 : start + 7, 4:9, 1:3] = 7
    return Image(array, np.diag([2.0, 1.5, 4.0, 1.0]))


@pytest.mark.parametrize(("frame", "reference"), [(0, 0), (1, 0), (2, 1)])
@pytest.mark.parametrize("interpolation", ["label", "nearest"])
def test_labels_are_where_their_tissue_is(frame, reference, interpolation):
    """To the voxel, with the frame that they're of on either side of the reference."""
    tracking = shifted(0, 4, -6, reference=reference)
    rows = [5, 7, 2]
    carried = labels_in_frames(
        tracking, block(rows[frame]), frame, interpolation=interpolation
    )
    for image, row in zip(carried, rows, strict=True):
        assert np.array_equal(image.array, block(row).array)
    assert (carried.time_step, carried.time_unit) == (0.05, "sec")


def test_labels_that_leave_the_image_are_gone():
    tracking = shifted(0, 100)
    carried = labels_in_frames(tracking, block(5), 0)
    assert not carried[1].array.any()
    assert ejection_fractions(volumes(carried))[0].fraction == 1


def test_volumes_are_counted_in_millilitres():
    tracking = shifted(0, 0)
    half = block(5).array.copy()
    half[5:7] = 0
    carried = Frames((block(5), block(5).with_array(half)))
    found = volumes(carried)
    assert found[1] == pytest.approx([4 * 5 * 2 * 0.012, 2 * 5 * 2 * 0.012])
    assert found[7] == pytest.approx([3 * 5 * 2 * 0.012] * 2)
    one, seven = ejection_fractions(found)
    assert (one.label, one.largest_frame, one.smallest_frame) == (1, 0, 1)
    assert (one.fraction, seven.fraction) == (pytest.approx(0.5), 0)
    assert tracking.between(0, 1).is_affine


def test_labels_on_another_grid_are_refused():
    tracking = shifted(0, 4)
    elsewhere = Image(block(5).array, np.diag([2.0, 1.5, 4.5, 1.0]))
    with pytest.raises(InputError, match="must lie on the grid of the frames"):
        labels_in_frames(tracking, elsewhere, 0)
    with pytest.raises(InputError, match="from 0 to 1"):
        labels_in_frames(tracking, block(5), 2)


@pytest.mark.parametrize("frame", [0, 1])
def test_labels_mean_in_all_frames_what_they_meant(frame):
    header = nib.Nifti1Header()
    header.set_intent("label")
    labels = replace(block(5), meaning=header)
    carried = labels_in_frames(shifted(0, 4), labels, frame)
    assert [one.meaning for one in carried] == [header, header]
