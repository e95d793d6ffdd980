"""CompiledBSpline: a spline that many points are mapped through on the backend."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import Any

import numpy as np
from keras import ops

from dlir_tf.compute.blocks import gather_rows
from dlir_tf.compute.compilation import compiled_fixed_island, compiled_graph
from dlir_tf.splines.cubic import (
    cells_and_offsets,
    evaluate_cells,
    neighbours_in_rows,
)
from dlir_tf.splines.lattice import inside_axis
from dlir_tf.transforms.bspline import BSpline

Tensor = Any

# Every call has this many points, so that they are compiled for only once.
_NUM_POINTS = 1 << 16
# For few points, NumPy is as fast, and exact. Measured in 3-d, on two cores: it takes
# 4 ms for so many, a compiled call (always of `_NUM_POINTS`) 6 ms.
_FEW_POINTS = 1 << 13
# Four megabytes in 3-d, which take two milliseconds. To compile takes half a second,
# and the lattices of most stages have fewer rows, so that one function does for all.
_FEW_ROWS = 1 << 16


@dataclass(frozen=True, eq=False)
class CompiledBSpline(BSpline):
    """A `BSpline` whose evaluation at many points is compiled, five times as fast.

    Many points are mapped in single precision, to about 1e-5 mm; a few, such as
    landmarks, as `BSpline` maps them.
    """

    def map_points(self, points: np.ndarray) -> np.ndarray:
        """Maps points `(num_points, ndim)`, world mm."""
        if len(points) < _FEW_POINTS:
            return super().map_points(points)
        mapped = np.array(points, np.float64)
        for start in range(0, len(points), _NUM_POINTS):
            block = mapped[start : start + _NUM_POINTS]
            block += self._displacements(block)
        return mapped

    def _displacements(self, points: np.ndarray) -> np.ndarray:
        """At most `_NUM_POINTS` of them, world mm; zero outside the lattice."""
        shape = np.array(self.control_points.shape[:-1], np.int32)
        cells = np.ones((self.ndim, _NUM_POINTS), np.int32)
        offsets = np.zeros((self.ndim, _NUM_POINTS), np.float32)
        inside = np.ones(len(points), bool)
        # Axis by axis, which for NumPy is several times as fast as point by point.
        for axis, size in enumerate(shape.tolist()):
            *row, shift = self.grid.inverse[axis]
            positions = points @ np.asarray(row) + shift
            inside &= inside_axis(positions, size)
            places = cells_and_offsets(positions, size)
            cells[axis, : len(points)], offsets[axis, : len(points)] = places
        values = _kernel(tuple(self._rows.shape))(self._rows, shape, cells, offsets)
        displacements = np.array(ops.convert_to_numpy(values)[: len(points)])
        displacements[~inside] = 0
        return displacements

    @cached_property
    def _rows(self) -> Tensor:
        """The control points as rows, filled up so that lattices share a number.

        Each has 8 numbers in 2-d and 16 in 3-d, which fill vector registers.
        """
        rows = neighbours_in_rows(self.control_points)
        num_rows, width = rows.shape
        most = max(1 << (num_rows - 1).bit_length(), _FEW_ROWS)
        padded = np.zeros((most, width + -width % 8), np.float32)
        padded[:num_rows, :width] = rows
        return ops.convert_to_tensor(padded)


@compiled_fixed_island
def spline_at_points(
    rows: Tensor, lattice_shape: Tensor, cells: Tensor, offsets: Tensor
) -> Tensor:
    """Evaluates a cubic B-spline at points; see `evaluate_cells`.

    Args:
        rows: Of four neighbours; further rows at the end are ignored, so that lattices
            of different shapes can share one compiled function.
        lattice_shape: `(ndim,)`, int32.
        cells: `(ndim, num_points)`, int32.
        offsets: `(ndim, num_points)`, float32.

    Returns:
        `(num_points, ndim)`, float32.
    """
    ndim = offsets.shape[0]
    (values,) = evaluate_cells(
        lambda index: gather_rows(rows, index),
        lattice_shape,
        ops.unstack(cells, ndim),
        ops.unstack(offsets, ndim),
        weigh=partial(_weigh_row, ndim),
    )
    return values


def _weigh_row(ndim: int, rows: Tensor, four: Sequence[Tensor]) -> Tensor:
    """Sums up four neighbours as they weigh, all numbers of a row at once.

    In 3-d, all of `spline_at_points` takes XLA 1.4 times as long part by part.
    """
    per_number = ops.transpose(ops.repeat(ops.stack(four), ndim, axis=0))
    parts = rows[:, : 4 * ndim] * per_number
    return ops.sum(ops.reshape(parts, (-1, 4, ndim)), axis=1)


@cache
def _kernel(_shape: tuple[int, ...]) -> Callable[..., Any]:
    # One for each shape of rows: TensorFlow would go on to trace for any.
    return compiled_graph(spline_at_points)
