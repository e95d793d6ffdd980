"""Starts that are turned far, as where a header has lost which way the axes point."""

import numpy as np
from scipy import ndimage

from dlir_tf.automatic.coarse import CoarsePair
from dlir_tf.pairs.rotations import rotations_up_to
from dlir_tf.transforms import Affine, Transform

# In 3-d an affine registration goes on from 25 degrees, and fewer turns are tried.
_REACH = {2: 5.0, 3: 25.0}
_KEPT = 3


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
    ndim, thin = pair.fixed.ndim, pair.thinned()
    centres = [
        image.grid.to_world(np.asarray(ndimage.center_of_mass(image.array)))
        for image in (pair.fixed, pair.moving)
    ]
    goes_to = centres[1], start.map_points(centres[0][None])[0]
    turns = [
        _turn(rotation @ _nearest_rotation(start), centres[0], place)
        for rotation in rotations_up_to(180.0, _REACH[ndim], ndim)
        for place in goes_to
    ]
    least = thin.likelihood(start)
    found = [(thin.likelihood(turn), turn) for turn in turns]
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
