"""Tracking, on a heartbeat whose motion is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from dlir_tf import load_config
from dlir_tf.errors import InputError
from dlir_tf.images import Frames, Image
from dlir_tf.series import track
from dlir_tf.series.notes import Notes


def heart_points(beat):
    """Points of the left ventricle and its wall, in the first frame."""
    labels = beat.labels[0]
    return labels.grid.to_world(np.argwhere(labels.array >= 2))


def errors(tracking, beat):
    """How far points of the heart are from where they belong, a mean a frame, mm."""
    points = heart_points(beat)
    found = tracking.points_in_frames(points, 0)
    truth = np.stack(
        [points + beat.displacement(points, n) for n in range(len(beat.frames))]
    )
    return np.linalg.norm(found - truth, axis=-1).mean(axis=1)


def test_a_heart_is_followed_through_its_beat(tracked, beat):
    points = heart_points(beat)
    motion = [
        np.linalg.norm(beat.displacement(points, n), axis=-1).mean() for n in range(6)
    ]
    found = errors(tracked, beat)
    assert found[0] < 1e-9
    assert max(motion) > 5
    assert np.all(found[2:5] < 0.35 * np.array(motion)[2:5])
    assert found.max() < 1.3
    assert not any(outcome.failure for outcome in tracked.outcomes)
    assert [outcome.frame for outcome in tracked.outcomes] == [0, 1, 2, 3, 4, 5]


def test_the_corrected_series_stands_still_and_keeps_its_time(tracked, beat):
    first, third = (beat.frames[n].array.astype(float) for n in (0, 3))
    still = tracked.corrected[3].array.astype(float)
    heart = beat.labels[0].array >= 2
    before, after = (np.abs(one - first)[heart].mean() for one in (third, still))
    assert after < 0.5 * before
    assert tracked.corrected.time_step == beat.frames.time_step
    assert tracked.corrected.time_unit == "sec"
    assert tracked.corrected[3].array.dtype == beat.frames[3].array.dtype
    assert np.array_equal(tracked.corrected[0].array, beat.frames[0].array)


def test_smoothness_in_time_takes_noise_from_the_paths(tracked, beat, config):
    """By the same answers: the notes of the first run have them all."""
    notes = Notes()
    track(beat.frames, config=config, periodic=True, notes=notes)
    smooth = track(beat.frames, config=config, periodic=True, smooth=3.5, notes=notes)
    before, after = errors(tracked, beat), errors(smooth, beat)
    assert after[0] < 1e-9
    assert after.mean() < 0.95 * before.mean()


def test_a_frame_starts_from_its_neighbour_where_that_is_better(config):
    """A bar moves by more than its width: no frame but the next is in sight."""
    array = np.zeros((4, 64, 40), np.float32)
    for n, frame in enumerate(array):
        frame[12 + 3 * n : 17 + 3 * n, 4:36] = 1.0
    array += np.random.default_rng(1).normal(0, 0.01, array.shape)
    frames = Frames(tuple(Image(frame, np.diag([3.0, 3.0, 1.0])) for frame in array))
    tracking = track(frames, config=config, refine=60)
    centre = np.array([[14.0 * 3, 19.5 * 3]])
    found = tracking.points_in_frames(centre, 0)[:, 0, 0] / 3 - 14.0
    assert np.allclose(found, [0, 3, 6, 9], atol=0.7)
    assert tracking.outcomes[3].start == "frame 2"


def test_the_mean_of_all_frames_is_a_reference_too(beat, config):
    tracking = track(beat.frames, config=config, refine=12, reference="mean")
    assert tracking.reference_frame is None
    assert tracking.reference.array.shape == beat.frames[0].shape
    spread = [
        np.std([image.array.astype(float) for image in images], axis=0).mean()
        for images in (beat.frames, tracking.corrected)
    ]
    assert spread[1] < 0.85 * spread[0]


def test_a_rigid_series_has_rigid_transforms():
    array = np.zeros((3, 40, 36, 1), np.float32)
    for n, frame in enumerate(array):
        frame[12 + n : 24 + n, 10:24] = 1.0
        frame[12 + n : 30 + n, 10:16] = 2.0
    affine = np.diag([2.0, 2.0, 5.0, 1.0])
    frames = Frames(tuple(Image(frame, affine) for frame in array))
    tracking = track(frames, config=load_config("rigid-2d"), refine=40, reference=2)
    assert all(transform.is_affine for transform in tracking.transforms)
    moved = tracking.points_in_frames(np.array([[20.0, 20.0, 0.0]]), 2)[:, 0, 0]
    assert np.allclose(moved, [16, 18, 20], atol=0.3)
    assert tracking.corrected[0].shape == (40, 36, 1)
    with pytest.raises(InputError, match="no rotation"):
        track(frames, config=load_config("rigid-2d"), smooth=4.0)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"frames": 1}, "at least two frames"),
        ({"reference": 6}, "reference: must be a frame from 0 to 5 or mean"),
        ({"reference": -1}, "Received: -1"),
        ({"reference": "median"}, "Received: median"),
        ({"smooth": 1.0}, "at least 2 frames"),
    ],
)
def test_what_cannot_be_is_refused(change, told, beat, config):
    frames = Frames(beat.frames.images[: change.pop("frames", 6)])
    with pytest.raises(InputError, match=told):
        track(frames, config=config, **change)


def test_colours_become_grey_and_that_is_said(beat, config):
    coloured = [
        Image(frame.array, frame.affine, None, np.stack([frame.array] * 3, axis=-1))
        for frame in beat.frames.images[:2]
    ]
    frames = replace(beat.frames, images=tuple(coloured))
    with pytest.warns(UserWarning, match="in colours; .* grey values"):
        found = track(frames, config=config, refine=2)
    assert found.corrected[1].shape == coloured[1].shape


def test_frames_that_are_not_looked_at_as_the_model_was_made_for_are_told(beat, config):
    red = [
        Image(frame.array, frame.affine, None, np.stack([frame.array] * 2, axis=-1))
        for frame in beat.frames.images[:2]
    ]
    red[1].channels[..., 1] += 1
    frames = Frames(tuple(red))
    second = config.model_copy(update={"channel": 2})
    with (
        pytest.warns(UserWarning, match="in colours"),
        pytest.warns(UserWarning, match="made for channel 2, but a frame, which has 2"),
    ):
        track(frames, config=second, refine=1)


def test_turned_frames_start_where_the_images_say():
    """By one start for the series; frames that don't need it stay at rest."""
    rng, middle = np.random.default_rng(1), 31.5
    spots = ndimage.gaussian_filter(rng.normal(size=(64, 64)), 3.0)
    distance = np.linalg.norm(np.indices((64, 64)) - middle, axis=0)
    spots = (spots / np.abs(spots).max() + 1.2) * np.clip(26 - distance, 0, 1)
    angles = np.deg2rad([0.0, 75.0, 2.0])
    frames = Frames(
        tuple(
            Image(ndimage.rotate(spots, angle, reshape=False, order=1), np.eye(3))
            for angle in np.rad2deg(angles)
        )
    )
    tracking = track(frames)
    points = np.array([[20.0, 10.0], [45.0, 25.0], [30.0, 30.0]])
    found = tracking.points_in_frames(points, 0)
    for place, angle in zip(found, angles, strict=True):
        turn = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
        expected = (points - middle) @ np.transpose(turn) + middle
        assert np.linalg.norm(place - expected, axis=1).max() < 1.5
    starts = [outcome.start for outcome in tracking.outcomes]
    assert starts == ["", "the start chosen by the images", "rest"]


def test_a_frame_without_contrast_is_refused(beat, config):
    blank = beat.frames[0].with_array(np.full_like(beat.frames[0].array, 7))
    with pytest.raises(InputError, match="frame 1 that has a value is 7"):
        track(Frames((beat.frames[0], blank)), config=config)
    for value in (7, np.nan):
        array = np.full(beat.frames[0].shape, value, np.float32)
        array[3:5] = np.nan
        with pytest.raises(InputError, match=f"frame 1 that has a value is {value}"):
            track(Frames((beat.frames[0], blank.with_array(array))), config=config)
