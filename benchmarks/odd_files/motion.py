"""A motion that is known everywhere: an affine one after a smooth bending."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from dlir_tf.images import Grid
from dlir_tf.images.grid import apply_affine

_WAVES = 3


@dataclass(frozen=True, eq=False)
class Motion:
    """From points of the fixed image to points of the moving one, mm.

    Attributes:
        matrix: World to world.
        waves: `(waves, ndim)` each: directions and lengths of waves, in radians a mm;
            how far they reach, in mm; and `(waves, 1)`, where they begin.
    """

    matrix: np.ndarray
    waves: tuple[np.ndarray, np.ndarray, np.ndarray]

    def __call__(self, points: np.ndarray) -> np.ndarray:
        """Maps points `(..., ndim)`."""
        lengths, reach, begin = self.waves
        bent = points + np.sin(points @ lengths.T + begin[:, 0]) @ reach
        return apply_affine(self.matrix, bent)


def make_motion(
    rng: np.random.Generator,
    grid: Grid,
    degrees: float = 8.0,
    shift: float = 0.06,
    bend: float = 0.012,
    scale: float = 1.0,
) -> Motion:
    """Makes a motion.

    Args:
        rng: Random numbers.
        grid: Of the image that moves, about whose middle it turns.
        degrees: By which it turns, about any axis.
        shift: Of its shortest extent, along any direction.
        bend: Of its shortest extent, of each of three waves.
        scale: By which it grows.
    """
    ndim, size = grid.ndim, float(grid.extent.min())
    axis = rng.normal(size=3) if ndim == 3 else np.array([0.0, 0.0, 1.0])
    turn = Rotation.from_rotvec(degrees * _unit(axis), degrees=True).as_matrix()
    linear = scale * turn[:ndim, :ndim]
    stretch = np.eye(ndim) + rng.uniform(-0.04, 0.04, (ndim, ndim))
    matrix = np.eye(ndim + 1)
    matrix[:-1, :-1] = linear @ stretch
    goes_to = grid.centre + shift * size * _unit(rng.normal(size=ndim))
    matrix[:-1, -1] = goes_to - matrix[:-1, :-1] @ grid.centre
    directions = _unit(rng.normal(size=(_WAVES, ndim)))
    lengths = rng.uniform(0.5, 1.0, (_WAVES, 1)) * float(grid.extent.max())
    reach = bend * size * _unit(rng.normal(size=(_WAVES, ndim)))
    begin = rng.uniform(0, 2 * np.pi, (_WAVES, 1))
    return Motion(matrix, (2 * np.pi * directions / lengths, reach, begin))


def _unit(vectors: np.ndarray) -> np.ndarray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
