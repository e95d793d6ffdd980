"""Whittaker's smoother, by what it promises of waves."""

import numpy as np
import pytest

from dlir_tf.series.smoothing import smooth_in_time, smoothing_matrix
from dlir_tf.transforms import Affine, BSpline, Transform


@pytest.mark.parametrize("period", [3.0, 5.0, 10.0])
def test_of_a_wave_of_the_period_half_is_left(period):
    matrix = smoothing_matrix(60, period, periodic=True, reference=None)
    wave = np.cos(2 * np.pi * np.arange(60) / period)
    assert np.allclose(matrix @ wave, 0.5 * wave)
    slow = np.cos(2 * np.pi * np.arange(60) / 60)
    assert np.allclose(matrix @ slow, slow, atol=0.01)


def test_the_reference_stays_where_it_is(rng):
    for periodic in (True, False):
        matrix = smoothing_matrix(9, 4.0, periodic=periodic, reference=4)
        found = matrix @ rng.normal(size=9)
        assert found[4] == 0
        assert np.abs(found).max() > 0


@pytest.mark.parametrize("period", [1e4, 1e5, 1e10, 1e80, 1e300])
@pytest.mark.parametrize("num_frames", [2, 3, 20, 200])
def test_of_very_long_periods_a_straight_line_is_left(period, num_frames, rng):
    """What fits best: through the reference, which stays, or through all."""
    time = np.arange(num_frames) - 1.0
    paths = rng.normal(size=(num_frames, 4))
    fixed = smoothing_matrix(num_frames, period, periodic=False, reference=1)
    slopes = (time @ paths) / (time @ time)
    bound = 1e-6 if period > 1e4 else 0.02
    np.testing.assert_allclose(fixed @ paths, np.outer(time, slopes), atol=bound)
    free = smoothing_matrix(num_frames, period, periodic=False, reference=None)
    lines = np.polynomial.polynomial.polyfit(time, paths, 1)
    fitted = lines[0] + np.outer(time, lines[1])
    np.testing.assert_allclose(free @ paths, fitted, atol=bound)
    if num_frames > 2:
        closed = smoothing_matrix(num_frames, period, periodic=True, reference=None)
        np.testing.assert_allclose(
            closed @ paths, [paths.mean(0)] * num_frames, atol=bound
        )


def test_what_is_periodic_knows_no_first_frame(rng):
    values = rng.normal(size=8)
    matrix = smoothing_matrix(8, 4.0, periodic=True, reference=None)
    shifted = matrix @ np.roll(values, 3)
    assert np.allclose(shifted, np.roll(matrix @ values, 3))


def test_points_move_as_their_paths_are_smoothed(rng):
    """Smoothing control points is smoothing the displacement of every point."""
    lattice = np.diag([4.0, 5.0, 1.0])
    points = rng.normal(size=(6, 7, 8, 2))
    splines = [Transform((BSpline(one, lattice),)) for one in points]
    matrix = smoothing_matrix(6, 3.0, periodic=False, reference=2)
    places = rng.uniform(8, 18, (5, 2))
    paths = np.stack([one.map_points(places) - places for one in splines])
    expected = places + np.tensordot(matrix, paths, axes=1)
    smooth = smooth_in_time(splines, matrix)
    found = np.stack([one.map_points(places) for one in smooth])
    assert np.allclose(found, expected)


def test_matrices_are_smoothed_as_the_displacements_that_they_are(rng):
    changes = rng.normal(size=(5, 3, 3)) * np.array([[0.1], [0.1], [0.0]])
    matrices = [Transform((Affine(np.eye(3) + change),)) for change in changes]
    matrix = smoothing_matrix(5, 3.0, periodic=True, reference=None)
    places = rng.normal(size=(4, 2))
    paths = np.stack([one.map_points(places) - places for one in matrices])
    smooth = smooth_in_time(matrices, matrix)
    found = np.stack([one.map_points(places) - places for one in smooth])
    assert np.allclose(found, np.tensordot(matrix, paths, axes=1))
