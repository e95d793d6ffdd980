"""Comparing the images of a pair under candidates for their transform, fast.

On the grid that the last stage sees, as in training; on a coarser one where that has
very many voxels, so that the time doesn't grow with the image.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dlir_tf.compute.inside import is_wholly_inside
from dlir_tf.config import Config
from dlir_tf.images import Grid
from dlir_tf.metrics import jacobian_determinant
from dlir_tf.metrics.similarity import similarity
from dlir_tf.metrics.telling import told_share
from dlir_tf.numerics import UNCOMPILED, Numerics
from dlir_tf.pairs.working_pair import WorkingPair
from dlir_tf.splines.cubic import evaluate_on_grid
from dlir_tf.splines.lattice import lattice_coordinate

# About 64³: a transform is judged on it in a few hundredths of a second.
MAX_VOXELS = 1 << 18


@dataclass(frozen=True, eq=False)
class Candidate:
    """A transform on the grid of a comparison, in its voxels.

    Attributes:
        matrix: `(ndim, ndim + 1)`, applied to a point last.
        deformation: Displacements `(ndim, *shape)`, applied first; `None` for none.
    """

    matrix: np.ndarray
    deformation: np.ndarray | None = None


@dataclass(frozen=True)
class Judgement:
    """What a candidate does.

    Attributes:
        similarity: See `dlir_tf.metrics.similarity`; NaN if nothing can be compared.
        folded_percent: Share of the compared voxels where it folds.
        smallest_jacobian: The smallest determinant at these.
        told_share: See `dlir_tf.metrics.telling`.
    """

    similarity: float
    folded_percent: float
    smallest_jacobian: float
    told_share: float = math.nan


class Comparison:
    """A pair on the grid where candidates for its transform are compared.

    Args:
        pair: On its working grid.
        config: Says similarity and stages.
        numerics: What warps images and composes fields.
    """

    def __init__(
        self, pair: WorkingPair, config: Config, numerics: Numerics = UNCOMPILED
    ) -> None:
        self._numerics = numerics
        self._kind = config.similarity.kind
        self._options = config.similarity.model_dump(exclude={"kind", "weight"})
        self.factor = comparison_factor(
            pair.grid.shape, pair.grid.spacing, config.stages[-1].downsample
        )
        shown = pair.mask.astype(np.float32)
        self._weights = _pool(shown, self.factor)
        self._fixed = self._averages(pair.fixed, shown)
        self._moving = self._averages(pair.moving, shown)
        if pair.fixed_mask is not None:
            self._weights = self._weights * self._inside(pair.fixed_mask)
        self._moving_mask: np.ndarray | None = None
        if pair.moving_mask is not None:
            self._moving_mask = self._inside(pair.moving_mask)
        self._grid = np.indices(self._fixed.shape, np.float32)
        self._pair = pair

    @cached_property
    def _initial_volume(self) -> np.ndarray | None:
        return _volume_change(self._pair, self.factor)

    def start(self) -> Candidate:
        """The identity: only what the initial alignment does."""
        ndim = self._fixed.ndim
        return Candidate(np.eye(ndim, ndim + 1))

    @cached_property
    def at_start(self) -> Judgement:
        """What the initial alignment does alone."""
        return self.judge(self.start())

    @cached_property
    def similarity_at_start(self) -> float:
        """How alike the images are by it, without a look for folds."""
        weights = self._weights
        if self._moving_mask is not None:
            weights = weights * is_wholly_inside(self._moving_mask)
        return self._similarity(self._moving, weights)

    def with_matrix(self, candidate: Candidate, matrix: np.ndarray) -> Candidate:
        """Gives it an affine map `(ndim, ndim + 1)` of working voxels."""
        step = np.asarray(self.factor, np.float64)
        # A voxel q of this grid is at the working voxel step q + (step - 1) / 2.
        offset = (step - 1) / 2
        linear = matrix[:, :-1] * step / step[:, None]
        shift = (matrix[:, :-1] @ offset + matrix[:, -1] - offset) / step
        return Candidate(np.column_stack([linear, shift]), candidate.deformation)

    def with_spline(
        self, candidate: Candidate, control_points: np.ndarray, spacing: Sequence[int]
    ) -> Candidate:
        """Adds a spline of working voxels, applied first.

        Args:
            candidate: What is applied after it.
            control_points: `(*lattice_shape, ndim)`, in working voxels.
            spacing: Working voxels between neighbouring control points, per axis.
        """
        steps = zip(self._fixed.shape, spacing, self.factor, strict=True)
        axes = [
            lattice_coordinate(r * np.arange(n) + (r - 1) / 2, s) for n, s, r in steps
        ]
        own_voxels = (control_points / np.asarray(self.factor)).astype(np.float32)
        field = np.moveaxis(evaluate_on_grid(own_voxels, axes), -1, 0)
        field = np.ascontiguousarray(field)
        if candidate.deformation is not None:
            field = self._numerics.compose(candidate.deformation, field)
        return Candidate(candidate.matrix, field)

    def judge(self, candidate: Candidate) -> Judgement:
        """Compares the images under a candidate, and looks for folds."""
        volume = np.float64(np.linalg.det(candidate.matrix[:, :-1]))
        jacobian = np.broadcast_to(volume, self._fixed.shape)
        if candidate.deformation is not None:
            ddf = np.moveaxis(candidate.deformation, 0, -1)
            jacobian = volume * jacobian_determinant(ddf)
        moved, weights = self._moving, self._weights
        moved_mask = self._moving_mask
        displacement = self._displacement(candidate)
        if self._initial_volume is not None:
            initial = self._initial_volume
            if displacement is not None:
                initial = self._numerics.warp(initial, displacement)
            jacobian = jacobian * initial
        if displacement is not None:
            moved = self._numerics.warp(moved, displacement)
            if moved_mask is not None:
                moved_mask = self._numerics.warp(moved_mask, displacement)
        if moved_mask is not None:
            weights = weights * is_wholly_inside(moved_mask)
        counting = jacobian[self._weights > 0]
        return Judgement(
            self._similarity(moved, weights),
            float(100 * np.mean(counting <= 0)) if counting.size else 0.0,
            float(counting.min()) if counting.size else float(volume),
            told_share(self._fixed, moved, weights),
        )

    def _similarity(self, moved: np.ndarray, weights: np.ndarray) -> float:
        return similarity(self._kind, self._fixed, moved, weights, **self._options)

    def _displacement(self, candidate: Candidate) -> np.ndarray | None:
        """Of all that a candidate does, `(ndim, *shape)`; `None` for nothing."""
        change = candidate.matrix - np.eye(*candidate.matrix.shape)
        if not change.any():
            return candidate.deformation
        places, total = self._grid, np.zeros_like(self._grid)
        if candidate.deformation is not None:
            places, total = places + candidate.deformation, candidate.deformation.copy()
        for row, result in zip(change.astype(np.float32), total, strict=True):
            result += row[-1]
            for weight, along in zip(row[:-1], places, strict=True):
                result += weight * along
        return total

    def _averages(self, image: np.ndarray, shown: np.ndarray) -> np.ndarray:
        """Averages of blocks; at the border of what both images show, of that alone.

        What pads the grid is 0 in both images: mixed in, it makes their borders alike,
        whatever they show.
        """
        averages = _pool(image, self.factor)
        border = (self._weights > 0) & (self._weights < 1)
        if border.any():
            sums = _pool(image * shown, self.factor)
            averages = np.where(
                border, sums / np.maximum(self._weights, 1e-6), averages
            )
        return averages

    def _inside(self, mask: np.ndarray) -> np.ndarray:
        """Which averages come from the inside of a mask alone, 0 or 1."""
        pooled = _pool(mask.astype(np.float32), self.factor)
        return is_wholly_inside(pooled).astype(np.float32)


def _volume_change(pair: WorkingPair, factor: tuple[int, ...]) -> np.ndarray | None:
    """What the initial alignment does to volumes, on a coarser grid.

    `None` where it does the same to all: a matrix folds nowhere, or everywhere.
    """
    if pair.initial.is_affine:
        return None
    steps = np.asarray(factor, np.float64)
    to_working = np.diag([*steps, 1.0])
    to_working[:-1, -1] = (steps - 1) / 2
    shape = tuple(n // r for n, r in zip(pair.grid.shape, factor, strict=True))
    grid = Grid(shape, pair.grid.affine @ to_working)
    along_axes = pair.initial.displacement(grid) @ grid.inverse[:-1, :-1].T
    return jacobian_determinant(along_axes).astype(np.float32)


def comparison_factor(
    shape: tuple[int, ...], spacing: tuple[float, ...], downsample: tuple[int, ...]
) -> tuple[int, ...]:
    """By what factors a working grid is made coarser for comparisons.

    Those of the last stage; then, as long as there are too many voxels, twice as
    much along the axis where that leaves voxels closest to cubes.

    Args:
        shape: Of the working grid.
        spacing: Of the working grid, in mm.
        downsample: Of the last stage.
    """
    factor = list(downsample)
    while np.prod([n // r for n, r in zip(shape, factor, strict=True)]) > MAX_VOXELS:
        axes = [a for a, n in enumerate(shape) if n % (2 * factor[a]) == 0]
        if not axes:
            break
        finest = min(axes, key=lambda a: (spacing[a] * factor[a], a))
        factor[finest] *= 2
    return tuple(factor)


def _pool(array: np.ndarray, factor: tuple[int, ...]) -> np.ndarray:
    """Averages blocks of voxels."""
    for axis, step in enumerate(factor):
        if step > 1:
            shape = array.shape
            blocks = (*shape[:axis], shape[axis] // step, step, *shape[axis + 1 :])
            array = array.reshape(blocks).mean(axis=axis + 1)
    return array
