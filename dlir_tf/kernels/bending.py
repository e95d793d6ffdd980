"""The bending energy of a spline, and its gradient."""

import math
from collections.abc import Sequence

import numpy as np

from dlir_tf.kernels.compiling import in_blocks, kernel
from dlir_tf.splines.lattice import STENCILS


class BendingEnergy:
    """Mean bending energy over a lattice's knots; see `dlir_tf.losses.bending_energy`.

    It is a quadratic form of the control points. Along each axis, it takes three
    matrices of five diagonals: products of values, of slopes and of second derivatives
    at the knots. It isn't for several threads at a time, since it keeps the memory that
    it works in.

    Args:
        lattice_shape: Control points per axis.
        control_point_spacing: Voxels between neighbouring control points, per axis.
        spacing: Voxel size in mm, per axis.
    """

    def __init__(
        self,
        lattice_shape: Sequence[int],
        control_point_spacing: Sequence[int],
        spacing: Sequence[float],
    ) -> None:
        cells = np.multiply(control_point_spacing, spacing)
        num_knots = math.prod(size - 2 for size in lattice_shape)
        self._bands = [
            np.stack(
                [
                    (_bands(size, order) / cell ** (2 * order)).astype(np.float32)
                    for order in range(3)
                ]
            )
            for size, cell in zip(lattice_shape, cells, strict=True)
        ]
        self._squares = np.square(spacing).astype(np.float32) / np.float32(num_knots)
        shape = (*lattice_shape, len(lattice_shape))
        # By the number of derivatives so far: with those along the first axes, and with
        # those along the next one, too.
        self._parts = [np.empty((3, *shape), np.float32) for _ in range(2)]

    def __call__(self, points: np.ndarray) -> tuple[float, np.ndarray]:
        """Evaluates the energy.

        Args:
            points: Displacements in voxels, `(*lattice_shape, ndim)`, float32.

        Returns:
            In 1/mm², and its gradient by the control points.
        """
        parts = np.ascontiguousarray(points)[None]
        for axis, bands in enumerate(self._bands):
            is_last = axis == len(self._bands) - 1
            results = self._parts[axis % 2][2:] if is_last else self._parts[axis % 2]
            length = points.shape[axis]
            width = math.prod(points.shape[axis + 1 :])
            lines, out = (
                each.reshape(len(each), -1, length * width) for each in (parts, results)
            )
            in_blocks(_differentiate, lines.shape[1] * length, lines, bands, width, out)
            parts = results
        slopes = parts[0] * (2 * self._squares)
        return 0.5 * float(np.vdot(points, slopes)), slopes


def _bands(size: int, order: int) -> np.ndarray:
    """The diagonals of the square of a derivative at the inner knots, `(size, 5)`."""
    bands = np.zeros((size, 5))
    for row, one in enumerate(STENCILS[order]):
        for column, other in enumerate(STENCILS[order]):
            bands[row : row + size - 2, column - row + 2] += one * other
    return bands


@kernel
def _differentiate(parts, bands, width, out, start, stop):
    """Products with the bands along an axis, summed up by the number of derivatives.

    Args:
        parts: `(orders, lines, length * width)`, of none, one and two derivatives, or
            of none alone.
        bands: `(3, length, 5)`.
        width: How many numbers lie at a point of a line.
        out: Of none, one and two derivatives, or of two alone.
        start: The first point of all lines.
        stop: The one behind the last.
    """
    length = bands.shape[1]
    lowest = 3 - len(out)
    for line in range(start // length, (stop + length - 1) // length):
        first = max(start - line * length, 0)
        last = min(stop - line * length, length)
        for order in range(lowest, 3):
            target = out[order - lowest, line]
            target[first * width : last * width] = 0.0
            for before in range(min(len(parts), order + 1)):
                # Mixed derivatives count twice.
                twice = np.float32(2.0 if before == 1 and order == 2 else 1.0)
                matrix = bands[order - before]
                _multiply(
                    parts[before, line], matrix, twice, width, target, first, last
                )


@kernel
def _multiply(values, bands, factor, width, out, first, last):
    """Adds a product to the points from `first` on of a line."""
    length = len(bands)
    for point in range(first, last):
        if 2 <= point < length - 2:
            continue
        for tap in range(5):
            other = point + tap - 2
            if 0 <= other < length:
                weight = factor * bands[point, tap]
                for k in range(width):
                    out[point * width + k] += weight * values[other * width + k]
    # All others have the same weights, so they are one long row.
    first, last = max(first, 2), min(last, length - 2)
    if first >= last:
        return
    w0, w1, w2 = factor * bands[2, 0], factor * bands[2, 1], factor * bands[2, 2]
    w3, w4 = factor * bands[2, 3], factor * bands[2, 4]
    count = (last - first) * width
    target = out[first * width : last * width]
    p0, p1 = values[(first - 2) * width :], values[(first - 1) * width :]
    p2, p3 = values[first * width :], values[(first + 1) * width :]
    p4 = values[(first + 2) * width :]
    for k in range(count):
        target[k] += w0 * p0[k] + w1 * p1[k] + w2 * p2[k] + w3 * p3[k] + w4 * p4[k]
