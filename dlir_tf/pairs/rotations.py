"""Rotations that are tried one by one, evenly spread."""

import itertools
import math

import numpy as np
from scipy.spatial.transform import Rotation


def rotations_up_to(largest: float, reach: float, ndim: int) -> list[np.ndarray]:
    """Rotations of which one is close to any other; the identity is one of them.

    Args:
        largest: Degrees, by which one turns at most; in a plane, all are made.
        reach: Degrees, from any such rotation to the closest of these.
        ndim: Of the space that is turned.

    Returns:
        Matrices `(ndim, ndim)`.

    Example:

    >>> len(rotations_up_to(180, 5, 2)), len(rotations_up_to(75, 20, 3))
    (36, 65)
    """
    if ndim == 2:
        return [plane_rotation(angle) for angle in np.arange(0, 360, 2 * reach)]
    # A body-centred cubic lattice has the fewest points of all that reach so far.
    edge = 4 / math.sqrt(5) * reach
    num = math.ceil(largest / edge)
    steps = np.arange(-num, num + 1)
    found = []
    for cell, middle in itertools.product(itertools.product(steps, repeat=3), (0, 0.5)):
        vector = edge * (np.array(cell) + middle)
        if np.linalg.norm(vector) <= largest:
            found.append(Rotation.from_rotvec(vector, degrees=True).as_matrix())
    return found


def plane_rotation(degrees: float) -> np.ndarray:
    """A turn in the plane, from the first axis to the second one, `(2, 2)`."""
    turn = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    return np.asarray(turn[:2, :2])
