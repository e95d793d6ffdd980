"""Images at a resolution that a page has room for."""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from dlir_tf.images import Grid, Image


@dataclass(frozen=True)
class Shrinking:
    """By which whole factors a grid gets coarser.

    Attributes:
        grid: The full one.
        factors: How many voxels become one, along each axis.
    """

    grid: Grid
    factors: tuple[int, ...]

    @property
    def coarse(self) -> Grid:
        """The coarser grid; a voxel lies in the middle of those it stands for."""
        ndim, factors = self.grid.ndim, np.array(self.factors)
        steps = np.diag([*factors, 1.0])
        steps[:ndim, ndim] = (factors - 1) / 2
        shape = tuple(
            math.ceil(size / factor)
            for size, factor in zip(self.grid.shape, self.factors, strict=True)
        )
        return Grid(shape, self.grid.affine @ steps)

    def mean(self, array: np.ndarray) -> np.ndarray:
        """Means of the voxels that become one, float32; NaN doesn't count.

        Args:
            array: On the full grid.
        """
        if self.is_whole:
            return array.astype(np.float32)
        blocks = self._padded(array.astype(np.float32), "edge")
        missing = np.isnan(blocks)
        axes = tuple(range(1, blocks.ndim, 2))
        if not missing.any():
            return np.asarray(blocks.mean(axis=axes))
        known = (~missing).sum(axis=axes)
        total = np.where(missing, 0, blocks).sum(axis=axes)
        return np.where(known, total / np.maximum(known, 1), np.nan).astype(np.float32)

    def any(self, mask: np.ndarray) -> np.ndarray:
        """Whether one of the voxels that become one is set, bool.

        Args:
            mask: Bool, on the full grid.
        """
        blocks = self._padded(mask, "constant")
        return np.asarray(blocks.any(axis=tuple(range(1, blocks.ndim, 2))))

    def middle(self, array: np.ndarray) -> np.ndarray:
        """One of the voxels that become one, the middle one; for labels.

        Args:
            array: On the full grid.
        """
        places = [
            np.minimum(np.arange(size) * factor + factor // 2, full - 1)
            for size, factor, full in zip(
                self.coarse.shape, self.factors, array.shape, strict=True
            )
        ]
        return array[np.ix_(*places)]

    @property
    def coarse_size(self) -> int:
        """How many voxels the coarser grid has."""
        return math.prod(self.coarse.shape)

    @property
    def is_whole(self) -> bool:
        """Whether nothing gets coarser."""
        return max(self.factors) == 1

    def _padded(self, array: np.ndarray, mode: str) -> np.ndarray:
        """The array in blocks, `(n, factor, n, factor, ...)`."""
        coarse = self.coarse.shape
        widths = [
            (0, size * factor - full)
            for size, factor, full in zip(
                coarse, self.factors, array.shape, strict=True
            )
        ]
        array = np.pad(array, widths, mode=mode)  # type: ignore[call-overload]
        pairs = zip(coarse, self.factors, strict=True)
        return np.asarray(array.reshape(tuple(itertools.chain.from_iterable(pairs))))


def shrinking_to(grid: Grid, max_voxels: float) -> Shrinking:
    """Chooses factors, the finest axis first, until there are few enough voxels.

    Args:
        grid: The full one.
        max_voxels: Of the coarser one.
    """
    factors = [1] * grid.ndim
    while Shrinking(grid, tuple(factors)).coarse_size > max_voxels:
        sizes = [
            spacing * factor if full > factor else math.inf
            for spacing, factor, full in zip(
                grid.spacing, factors, grid.shape, strict=True
            )
        ]
        factors[int(np.argmin(sizes))] += 1
    return Shrinking(grid, tuple(factors))


def shrunk(image: Image, spacing: float) -> Image:
    """An image whose voxels are about as large as a spacing, if they are smaller.

    Args:
        image: Any; float32 comes back.
        spacing: In mm.
    """
    factors = tuple(
        max(1, min(size, int(spacing / own + 0.01)))
        for own, size in zip(image.spacing, image.shape, strict=True)
    )
    shrinking = Shrinking(image.grid, factors)
    return Image(shrinking.mean(image.array), shrinking.coarse.affine)
