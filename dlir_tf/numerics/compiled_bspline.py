"""CompiledBSpline: a spline that many points are mapped through on the backend."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from keras import ops

from dlir_tf.compute.compilation import compiled_graph
from dlir_tf.numerics.spline_points import spline_at_points
from dlir_tf.splines.cubic import cells_and_offsets, inside_axis
from dlir_tf.transforms.bspline import BSpline

# Every call has this many points, so that they are compiled for only once.
_NUM_POINTS = 1 << 16
# For few points, NumPy is as fast, and exact.
_FEW_POINTS = 1 << 13
# A quarter of a megabyte: to compile for fewer takes longer than it saves.
_FEW_ROWS = 1 << 12


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
            *row, shift = self._to_lattice[axis]
            positions = points @ np.asarray(row) + shift
            inside &= inside_axis(size, positions)
            places = cells_and_offsets(positions, size)
            cells[axis, : len(points)], offsets[axis, : len(points)] = places
        values = _kernel(tuple(self._rows.shape))(self._rows, shape, cells, offsets)
        displacements = np.array(ops.convert_to_numpy(values)[: len(points)])
        displacements[~inside] = 0
        return displacements

    @cached_property
    def _rows(self) -> Any:
        """The control points as rows, filled up so that lattices share a number."""
        rows = neighbours_in_rows(self.control_points)
        num_rows = max(1 << (len(rows) - 1).bit_length(), _FEW_ROWS)
        padded = np.zeros((num_rows, rows.shape[1]), np.float32)
        padded[: len(rows)] = rows
        return ops.convert_to_tensor(padded)


def neighbours_in_rows(control_points: np.ndarray) -> np.ndarray:
    """Lays out a lattice so that what a point needs lies together.

    Args:
        control_points: `(*lattice_shape, ndim)`, at least 4 along each axis.

    Returns:
        `(num_rows, width)`, float32: for each control point that has three more behind
        it along the last axis, all four, and zeros up to 8 numbers in 2-d and 16 in
        3-d, which fill a processor's vector registers.
    """
    ndim = control_points.shape[-1]
    four = np.lib.stride_tricks.sliding_window_view(control_points, 4, axis=ndim - 1)
    rows = np.moveaxis(four, -1, -2).reshape(-1, 4 * ndim)
    return np.pad(rows.astype(np.float32), ((0, 0), (0, -4 * ndim % 8)))


@cache
def _kernel(_shape: tuple[int, ...]) -> Callable[..., Any]:
    # One for each shape of rows: TensorFlow would go on to trace for any.
    return compiled_graph(spline_at_points)
