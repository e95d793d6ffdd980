"""What of a thorax a scanner shows: rarely all, and each time something else."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from dlir_tf.images import Grid
from dlir_tf.phantoms.breath import Breath

Array = NDArray[np.floating]

_ONE_LUNG = 0.5  # of all pairs; in the others both are shown, if there are two
_MARGIN = (-4.0, 25.0)  # mm around the lungs; a negative one cuts them off
_LEAST_SHARE = 0.2  # of all lungs, of what is taken for one of two


@dataclass(frozen=True, eq=False)
class FieldOfView:
    """Which part of the lungs is shown.

    Args:
        voxels: Some voxels of that part at rest, `(n, 3)`.
    """

    voxels: Array

    @classmethod
    def of_lungs(
        cls,
        rng: np.random.Generator,
        lungs: NDArray[np.bool_],
        spacing: tuple[float, ...],
    ) -> "FieldOfView":
        """Draws whether both lungs are shown or one of them.

        Args:
            rng: Decides it.
            lungs: Where they are.
            spacing: Of their voxels, mm.
        """
        alone = rng.random() < _ONE_LUNG
        shown = _one_of(rng, lungs, spacing) if alone else lungs
        voxels = np.argwhere(shown)
        return cls(voxels[:: max(1, len(voxels) // 5000)].astype(np.float64))

    def window(self, rng: np.random.Generator, grid: Grid, breath: Breath) -> Grid:
        """Cuts a grid off around the lungs after a breath, by random margins."""
        breathed = grid.to_voxels(breath.destination(grid.to_world(self.voxels)))
        margins = rng.uniform(*_MARGIN, (2, 3)) / np.asarray(grid.spacing)
        last = np.asarray(grid.shape) - 1
        low = np.clip(np.floor(breathed.min(axis=0) - margins[0]), 0, last)
        high = np.clip(np.ceil(breathed.max(axis=0) + margins[1]), low, last)
        affine = grid.affine.copy()
        affine[:3, 3] = grid.to_world(low)
        return Grid(tuple((high - low + 1).astype(int).tolist()), affine)

    def seen(self, rng: np.random.Generator, grid: Grid) -> NDArray[np.bool_]:
        """What of a grid lies within a scanner's round field, bool."""
        points = grid.points()[..., :2]
        corners = grid.corners[:, :2]
        radius = rng.uniform(0.75, 1.1) * np.ptp(corners, axis=0).max() / np.sqrt(2)
        apart = points - grid.centre[:2] - rng.uniform(-10.0, 10.0, 2)
        return np.asarray(np.hypot(apart[..., 0], apart[..., 1]) < radius)


def _one_of(
    rng: np.random.Generator, lungs: NDArray[np.bool_], spacing: tuple[float, ...]
) -> NDArray[np.bool_]:
    """One of two lungs, where they come apart without the airways between them."""
    away = tuple(max(1, round(6.0 / step)) for step in spacing)
    cores = ndimage.minimum_filter(lungs, [2 * n + 1 for n in away])
    parts, _ = ndimage.label(cores)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    large = np.flatnonzero(sizes >= _LEAST_SHARE * sizes.sum())
    if len(large) < 2:
        return lungs
    chosen = parts == rng.choice(large)
    grown = ndimage.maximum_filter(chosen, [2 * n + 1 for n in away])
    return np.asarray(grown & lungs)
