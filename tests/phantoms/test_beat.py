"""A heartbeat whose motion is known."""

import numpy as np
import pytest

from dlir_tf.errors import InputError
from dlir_tf.phantoms import heartbeat


def test_a_beat_goes_from_rest_to_the_smallest_heart_and_back():
    beat = heartbeat(2, 8, shape=(52, 50, 4), spacing=(3.0, 3.0, 10.0))
    volumes = [np.count_nonzero(labels.array == 3) for labels in beat.labels]
    assert np.argmin(volumes) == 4
    assert volumes[4] < 0.75 * volumes[0]
    assert volumes[:5] == sorted(volumes[:5], reverse=True)
    points = beat.scanner.voxel_centres()
    assert np.allclose(beat.displacement(points, 0), 0, atol=1e-9)
    assert np.allclose(beat.displacement(points, 2), beat.displacement(points, 6))
    assert (len(beat.frames), beat.frames.time_unit) == (8, "sec")
    assert not np.array_equal(beat.frames[2].array, beat.frames[6].array)  # noise


def test_labels_go_with_the_motion():
    beat = heartbeat(4, 4, shape=(60, 61), spacing=(2.5, 2.5), ndim=2)
    first, third = beat.labels[0], beat.labels[2]
    points = first.grid.to_world(np.argwhere(first.array == 3))
    moved = third.grid.to_voxels(points + beat.displacement(points, 2))
    inside = third.array[tuple(np.rint(moved).astype(int).T)] == 3
    assert inside.mean() > 0.95


@pytest.mark.parametrize("wrong", [{"ndim": 4}, {"num_frames": 1}])
def test_what_is_no_beat_is_refused(wrong):
    with pytest.raises(InputError, match="at least 2 frames"):
        heartbeat(1, **{"num_frames": 4, **wrong})
