"""Starts that are turned far, as where a header has lost which way the axes point."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from dlir_tf.automatic.coarse import CoarsePair
from dlir_tf.images import Image
from dlir_tf.pairs.rotations import rotations_up_to
from dlir_tf.transforms import Affine, Transform

# In 3-d an affine registration goes on from 25 degrees, and fewer turns are tried.
_REACH = {2: 5.0, 3: 25.0}
_KEPT = 3
_DARK = 0.1

# A point of the fixed image, and where it goes.
_Pivot = tuple[np.ndarray, np.ndarray]


def turned_starts(pair: CoarsePair, start: Transform) -> list[Transform]:
    """The likeliest of all turns about what the images show.

    The centre of what the fixed image shows goes to that of the moving one, or to where
    it goes by the best start that there is. Which turn it is, mutual information tells,
    on every other voxel along each axis.

    Args:
        pair: On coarse grids.
        start: The best that was found without turns.

    Returns:
        A few, the likeliest first; none that is less likely than that start.
    """
    judge = pair.thinned().likelihood
    return _best_turns(pair, start, _masses(pair, start), judge, judge(start))


def clearest_turns(pair: CoarsePair, start: Transform) -> list[Transform]:
    """Likewise, those by which self-similarities agree most, whatever that start does.

    Light from one side moves centres of intensity, so those of all that isn't dark are
    laid onto each other as well.

    Args:
        pair: On coarse grids.
        start: The best that was found so far.
    """
    shown = [_centre(image, image.array > _DARK) for image in (pair.fixed, pair.moving)]
    pivots = [*_masses(pair, start), (shown[0], shown[1])]
    return _best_turns(pair, start, pivots, pair.thinned().agreement, 0.0)


def _masses(pair: CoarsePair, start: Transform) -> list[_Pivot]:
    first, second = (_centre(image, image.array) for image in (pair.fixed, pair.moving))
    return [(first, second), (first, start.map_points(first[None])[0])]


def _centre(image: Image, weights: np.ndarray) -> np.ndarray:
    place = np.asarray(ndimage.center_of_mass(weights))
    return image.grid.to_world(place) if weights.any() else image.grid.centre


def _best_turns(
    pair: CoarsePair,
    start: Transform,
    pivots: list[_Pivot],
    judge: Callable[[Transform], float],
    least: float,
) -> list[Transform]:
    """The turns about any pivot that are judged best."""
    ndim = pair.fixed.ndim
    turns = [
        _turn(rotation @ _nearest_rotation(start), *pivot)
        for rotation in rotations_up_to(180.0, _REACH[ndim], ndim)
        for pivot in pivots
    ]
    found = [(judge(turn), turn) for turn in turns]
    promising = [each for each in found if each[0] > least]
    best = sorted(promising, key=lambda each: each[0], reverse=True)
    return [turn for _, turn in best[:_KEPT]]


def degrees_of(transform: Transform) -> float:
    """By how many degrees a transform turns, in all."""
    turn = _nearest_rotation(transform)
    cosine = (np.trace(turn) - (len(turn) - 2)) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def _nearest_rotation(transform: Transform) -> np.ndarray:
    left, _, right = np.linalg.svd(transform.affine_part[:-1, :-1])
    return np.asarray(left @ right)


def _turn(rotation: np.ndarray, centre: np.ndarray, goes_to: np.ndarray) -> Transform:
    matrix = np.eye(len(centre) + 1)
    matrix[:-1, :-1] = rotation
    matrix[:-1, -1] = goes_to - rotation @ centre
    return Transform((Affine(matrix),))
