"""How often a model in one shot looks at a frame, and from where."""

import threading

import numpy as np
import pytest
from scipy import ndimage
from shifting_model import SHAPE, ShiftingModel

from dlir_tf.images import Frames, Image
from dlir_tf.pairs.preparation import Preparation
from dlir_tf.quality.selection import select_stages
from dlir_tf.series import track


class CountingModel(ShiftingModel):
    """Moves every image by a voxel, and counts how often it was asked."""

    looks = 0

    def predict(self, pair):
        self.looks += 1
        return super().predict(pair)


def test_a_second_look_and_the_neighbour_lead_where_one_look_does_not(rng):
    """By a voxel a look: one reaches frame 1, two frame 2, the neighbour leads on."""
    spots = np.zeros((SHAPE[0], SHAPE[1]))
    spots[6:12, 6:16] = rng.uniform(0.3, 1.0, (6, 10))
    spots = ndimage.gaussian_filter(spots, 1.0)
    arrays = [np.roll(spots, n, axis=0) for n in range(6)]
    frames = Frames(tuple(Image(array, np.eye(3)) for array in arrays))
    model = CountingModel()
    tracking = track(frames, model=model)
    found = tracking.points_in_frames(np.array([[9.0, 9.0]]), 0)[:, 0, 0] - 9
    assert np.allclose(found, range(6), atol=1e-6)
    starts = [outcome.start for outcome in tracking.outcomes]
    assert starts == ["", "its own answer", "its own answer"] + [
        f"frame {n}" for n in (2, 3, 4)
    ]
    assert model.looks == 2 * 5


def test_a_look_that_finds_nothing_is_enough(rng):
    """The second frame is the first: moving it by a voxel does harm."""
    array = ndimage.gaussian_filter(rng.uniform(size=SHAPE), 1.5)
    array = (array - array.min()) / (array.max() - array.min())
    model = CountingModel()
    tracking = track(Frames((Image(array, np.eye(3)),) * 2), model=model)
    assert np.array_equal(tracking.corrected[1].array, array)
    assert model.looks == 1


def test_a_frame_stays_at_rest_if_what_was_found_does_harm(rng, monkeypatch):
    """However that came about; with harm allowed, it's moved."""

    def select_all(*given, do_no_harm, **others):
        return select_stages(*given, do_no_harm=False, **others)

    monkeypatch.setattr("dlir_tf.series.frame.select_stages", select_all)
    array = ndimage.gaussian_filter(rng.uniform(size=SHAPE), 1.5)
    array = (array - array.min()) / (array.max() - array.min())
    frames = Frames((Image(array, np.eye(3)),) * 2)
    tracking = track(frames, model=ShiftingModel())
    assert np.array_equal(tracking.corrected[1].array, array)
    assert [outcome.start for outcome in tracking.outcomes] == ["", "rest"]
    assert not any(outcome.failure for outcome in tracking.outcomes)
    moved = track(frames, model=ShiftingModel(), do_no_harm=False)
    assert "less alike" in moved.outcomes[1].failure


class WaitingModel(ShiftingModel):
    """Its first answer waits for another thread to ask as well."""

    def __init__(self):
        self.both_are_here, self.asked = threading.Barrier(2), set()

    def predict(self, pair):
        thread = threading.get_ident()
        if thread not in self.asked:
            self.asked.add(thread)
            self.both_are_here.wait(timeout=30)
        return super().predict(pair)


def test_both_directions_are_gone_at_the_same_time(rng):
    """Frames 1 and 2 follow each other; of the way back, the model knows nothing."""
    spots = np.zeros((SHAPE[0], SHAPE[1]))
    spots[8:14, 6:16] = rng.uniform(0.3, 1.0, (6, 10))
    spots = ndimage.gaussian_filter(spots, 1.0)
    arrays = [np.roll(spots, n, axis=0) for n in (0, 1, 2, -1)]
    frames = Frames(tuple(Image(array, np.eye(3)) for array in arrays))
    model, done = WaitingModel(), []
    tracking = track(
        frames, model=model, periodic=True, on_frame=lambda n, _: done.append(n)
    )
    assert len(model.asked) == 2
    assert done == [1, 2, 3]
    found = tracking.points_in_frames(np.array([[10.0, 9.0]]), 0)[:, 0, 0] - 10
    assert np.allclose(found, [0, 1, 2, 0], atol=1e-6)


@pytest.mark.parametrize(
    ("shifts", "times"),
    [
        ((0, 0, 0), 1 + 1),  # neighbours at rest say nothing new
        ((0, 1), 2),  # the second look finds nothing
        ((0, 2), 3),  # it does
        ((0, 1, 2), 2 + 4),
    ],
)
def test_a_frame_is_laid_on_the_grid_no_more_often_than_needed(
    shifts, times, rng, monkeypatch
):
    """At rest, by the first look, by the neighbour's answer, by the second look."""
    laid, whole = [], Preparation.from_start

    def counting(self, *start):
        laid.append(start)
        return whole(self, *start)

    monkeypatch.setattr(Preparation, "from_start", counting)
    spots = np.zeros((SHAPE[0], SHAPE[1]))
    spots[6:12, 6:16] = rng.uniform(0.3, 1.0, (6, 10))
    spots = ndimage.gaussian_filter(spots, 1.0)
    images = [Image(np.roll(spots, n, axis=0), np.eye(3)) for n in shifts]
    tracking = track(Frames(tuple(images)), model=ShiftingModel())
    found = tracking.points_in_frames(np.array([[9.0, 9.0]]), 0)[:, 0, 0] - 9
    assert np.allclose(found, shifts, atol=1e-6)
    assert len(laid) == times + 1  # the reference once more, to itself
