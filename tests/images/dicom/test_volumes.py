"""Series with several slices in one place: volumes in time, and copies.

dcm2niix 1.0.20260724 puts the cine series here, with the numbers of their images, into
the same volumes at the same places.
"""

import numpy as np
import pytest
from dicom_files import (
    affine,
    axes,
    dataset,
    place,
    positions,
    save,
    save_slices,
    volume,
)

from dlir_tf.errors import InputError
from dlir_tf.images import read_frames, read_image

SHAPE = (12, 10, 5)
SERIES = np.stack([volume(SHAPE, seed) for seed in range(3)], axis=-1)


def stacked(frames):
    np.testing.assert_allclose(frames[0].affine, affine(), atol=1e-4)
    return np.stack([frame.array for frame in frames], axis=-1)


@pytest.mark.parametrize(
    ("say", "key", "order", "timed"),
    [
        # Each slice has a heartbeat of its own, and the last phase is stored first.
        (
            lambda k, t: {"TriggerTime": str((40 * t + 40) % 120 + 3 * k)},
            "trigger time",
            [2, 0, 1],
            (40.0, "msec"),
        ),
        (
            lambda k, t: {
                "TemporalPositionIdentifier": 3 - t,
                "TemporalResolution": "52.5",
            },
            "temporal position",
            [2, 1, 0],
            (52.5, "msec"),
        ),
        (lambda k, t: {"DiffusionBValue": 500.0 * t}, "b-value", [0, 1, 2], None),
        (lambda k, t: {"EchoTime": str(9 - t)}, "echo time", [2, 1, 0], None),
        (
            lambda k, t: {
                "AcquisitionNumber": 1,
                "AcquisitionTime": f"1159{58 - 2 * t}.5",
                "InstanceNumber": 1,
            },
            "acquisition time",
            [2, 1, 0],
            (2.0, "sec"),
        ),
        (
            lambda k, t: {"InstanceNumber": 3 * k + 3 - t},
            "instance number",
            [2, 1, 0],
            None,
        ),
    ],
)
def test_what_tells_volumes_apart(tmp_path, say, key, order, timed):
    folder = save_slices(tmp_path / "cine", SERIES, say)
    with pytest.warns(UserWarning, match=rf"3 volumes of 5 slices each.* by {key}$"):
        frames = read_frames(folder)
    np.testing.assert_array_equal(stacked(frames), SERIES[..., order])
    assert (frames.time_step, frames.time_unit) == (timed or (0.0, "unknown"))
    with pytest.raises(InputError, match="extract the one volume that is meant"):
        read_image(folder)


def test_a_cine_of_one_slice(tmp_path):
    folder = tmp_path / "cine"
    save_slices(
        folder, SERIES[:, :, :1], lambda k, t: {"TriggerTime": str(90 - 30 * t)}
    )
    with pytest.warns(UserWarning, match="3 volumes of 1 slice each"):
        frames = read_frames(folder)
    np.testing.assert_array_equal(stacked(frames), SERIES[:, :, :1, ::-1])
    assert (frames.time_step, frames.time_unit) == (30.0, "msec")


def test_copies_count_once(tmp_path):
    """A series that was exported twice, or one slice of it."""
    folder = save_slices(tmp_path / "twice", SERIES[..., 0])
    save_slices(folder, SERIES[..., 0])
    with pytest.warns(UserWarning, match="5 of 10 slices are there twice"):
        image = read_image(folder)
    np.testing.assert_array_equal(image.array, SERIES[..., 0])
    for path in sorted(folder.iterdir())[6:]:
        path.unlink()
    with pytest.warns(UserWarning, match="1 of 6 slices is there twice"):
        image = read_image(folder)
    np.testing.assert_array_equal(image.array, SERIES[..., 0])


def test_a_cine_that_was_exported_twice_is_one(tmp_path):
    def say(k, t):
        return {"TriggerTime": str(30 * t), "InstanceNumber": 3 * k + t}

    folder = save_slices(tmp_path / "cine", SERIES, say)
    save_slices(folder, SERIES, say)
    with pytest.warns(UserWarning, match="15 of 30 slices are there twice"):
        frames = read_frames(folder)
    np.testing.assert_array_equal(stacked(frames), SERIES)


def test_slices_of_a_cine_may_be_alike(tmp_path):
    """Beyond the patient all phases are empty, and are phases all the same."""
    series = SERIES.copy()
    series[:, :, 0], series[:, :, 4, 1] = 0, series[:, :, 4, 0]
    folder = save_slices(
        tmp_path / "cine", series, lambda k, t: {"InstanceNumber": 3 * k + t}
    )
    with pytest.warns(UserWarning, match="by instance number"):
        np.testing.assert_array_equal(stacked(read_frames(folder)), series)


def test_what_nothing_tells_apart_is_refused(tmp_path):
    folder = save_slices(tmp_path / "a", SERIES)
    with pytest.raises(InputError, match=r"10 of 15 files lie .* nothing in it tells"):
        read_frames(folder)
    folder = save_slices(tmp_path / "b", SERIES, lambda k, t: {"TriggerTime": str(t)})
    next(path for path in sorted(folder.iterdir())[7:]).unlink()
    with pytest.raises(InputError, match="some places have 2 and others 3"):
        read_frames(folder)


def test_volumes_of_several_kinds_or_places_are_refused(tmp_path):
    folder = save_slices(
        tmp_path / "kinds",
        SERIES[..., :2],
        lambda k, t: {
            "ImageType": ["ORIGINAL", "PRIMARY", "MP"[t]],
            "InstanceNumber": 2 * k + t,
        },
    )
    with pytest.raises(InputError, match="images of one kind, but holds M, P"):
        read_frames(folder)


def test_echoes_at_several_times_are_refused(tmp_path):
    def say(k, t):
        return {"EchoTime": str(5 + t % 2), "InstanceNumber": 3 * k + t}

    with pytest.raises(InputError, match="holds several of 5, 6 ms; separate"):
        read_frames(save_slices(tmp_path / "fmri", SERIES, say))


def test_rounding_makes_no_places_of_their_own(tmp_path):
    folder = tmp_path / "cine"
    folder.mkdir()
    for t in range(3):
        for k in range(5):
            made = dataset(SERIES[:, :, k, t], TriggerTime=str(t))
            where = positions(5)[k] + 0.003 * (t - 1) * axes()[:, 2]
            save(place(made, where), folder / f"{t}{k}.dcm")
    with pytest.warns(UserWarning, match="3 volumes of 5 slices"):
        frames = read_frames(folder)
    for t, frame in enumerate(frames):
        np.testing.assert_array_equal(frame.array, SERIES[..., t])


def test_b_values_must_be_the_same_everywhere(tmp_path):
    """A slice with b-values of its own isn't of the same volumes."""

    def say(k, t):
        return {"DiffusionBValue": 500.0 * t + (k == 2), "InstanceNumber": 1}

    with pytest.raises(InputError, match="nothing in it tells apart"):
        read_frames(save_slices(tmp_path / "dwi", SERIES, say))
