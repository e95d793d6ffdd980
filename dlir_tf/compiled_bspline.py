"""CompiledBSpline: a spline that many points are mapped through on the backend."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import numpy as np
from keras import ops

from dlir_tf.compilation import compiled_graph
from dlir_tf.layers.spline_points import spline_at_points
from dlir_tf.transforms.bspline import BSpline
from dlir_tf.transforms.cubic import cells_and_offsets, inside_axis

# Every call has this many points, so that they are compiled for only once.
_NUM_POINTS = 1 << 16
# For few points, NumPy is as fast, and exact.
_FEW_POINTS = 1 << 13


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
        values = _kernel(self.ndim)(self._rows, shape, cells, offsets)
        displacements = np.asarray(ops.convert_to_numpy(values)[: len(points)])
        if inside.all():
            return displacements
        return np.where(inside[:, None], displacements, 0)

    @cached_property
    def _rows(self) -> Any:
        """The control points in single precision, filled up to a power of two."""
        rows = self.control_points.reshape(-1, self.ndim)
        padded = np.zeros((1 << (len(rows) - 1).bit_length(), self.ndim), np.float32)
        padded[: len(rows)] = rows
        return ops.convert_to_tensor(padded)


@cache
def _kernel(_ndim: int) -> Callable[..., Any]:
    # One for each rank: a trace for both would be one for no rank in particular.
    return compiled_graph(spline_at_points)
