"""Pairs that exports are tried on: hearts on grids such as scanners make."""

from dataclasses import dataclass

import numpy as np

from dlir_tf.images import Image
from dlir_tf.phantoms import Phantom, beating_heart

# Seed, and the grids of fixed and moving: voxels and spacing (mm), slices last. Every
# seed has another orientation, oblique and with other axes flipped or swapped.
_Grid = tuple[tuple[int, int, int], tuple[float, float, float]]
_SMALL: _Grid = ((41, 44, 6), (3.7, 3.4, 9.5))
_OTHER: _Grid = ((37, 52, 7), (4.1, 3.1, 8.5))
_USUAL: _Grid = ((96, 101, 9), (1.75, 1.7, 8.0))


@dataclass(frozen=True, eq=False)
class TrialPair:
    """A pair for trials, whose voxels and affines float32 holds exactly."""

    fixed: Image
    moving: Image
    moving_labels: Image


def trial_batches(ndim: int) -> list[list[TrialPair]]:
    """Makes batches of pairs, the pairs of one batch alike in their shapes.

    Shapes, spacings and orientations differ within pairs and between them; one pair is
    far from the world's origin.
    """
    near, far = _pair(3, ndim, _SMALL, _OTHER), _pair(8, ndim, _SMALL, _OTHER)
    return [
        [near, _shifted(far, np.array([1500.0, -900.0, 700.0])[:ndim])],
        [_pair(5, ndim, _USUAL, _SMALL, turn=True)],
    ]


def _pair(
    seed: int, ndim: int, fixed: _Grid, moving: _Grid, turn: bool = False
) -> TrialPair:
    first, second = _heart(seed, ndim, fixed), _heart(seed, ndim, moving)
    axes = np.roll(np.arange(ndim), 1) if turn else np.arange(ndim)
    return TrialPair(
        fixed=single(first.fixed),
        moving=single(_transposed(second.moving, axes)),
        moving_labels=single(_transposed(second.moving_labels, axes)),
    )


def _heart(seed: int, ndim: int, grid: _Grid) -> Phantom:
    shape, spacing = grid
    return beating_heart(seed, ndim=ndim, shape=shape[:ndim], spacing=spacing[:ndim])


def _transposed(image: Image, axes: np.ndarray) -> Image:
    """The same image, its axes stored in another order."""
    columns = [*axes.tolist(), image.ndim]
    return Image(np.transpose(image.array, axes), image.affine[:, columns])


def _shifted(pair: TrialPair, offset: np.ndarray) -> TrialPair:
    def shift(image: Image) -> Image:
        affine = image.affine.copy()
        affine[:-1, -1] += offset
        return single(Image(image.array, affine))

    return TrialPair(shift(pair.fixed), shift(pair.moving), shift(pair.moving_labels))


def single(image: Image) -> Image:
    """An image in single precision, as a server gets it."""
    return Image(image.array.astype(np.float32), image.affine.astype(np.float32))
