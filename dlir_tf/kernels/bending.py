"""The bending energy of a spline, and its gradient."""

import math
from collections.abc import Sequence

import numpy as np

from dlir_tf.kernels.splines import apply_bands
from dlir_tf.splines.lattice import STENCILS


class BendingEnergy:
    """Mean bending energy over a lattice's knots; see `dlir_tf.losses.bending_energy`.

    It is a quadratic form of the control points. Along each axis, it takes three
    matrices of five diagonals: products of values, of slopes and of second derivatives
    at the knots.

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
            [_bands(size, order) / cell ** (2 * order) for order in range(3)]
            for size, cell in zip(lattice_shape, cells, strict=True)
        ]
        self._squares = np.square(spacing).astype(np.float32) / np.float32(num_knots)

    def __call__(self, points: np.ndarray) -> tuple[float, np.ndarray]:
        """Evaluates the energy.

        Args:
            points: Displacements in voxels, `(*lattice_shape, ndim)`, float32.

        Returns:
            In 1/mm², and its gradient by the control points.
        """
        # By the number of derivatives so far.
        parts: list[np.ndarray | None] = [points, None, None]
        last = len(self._bands) - 1
        for axis, bands in enumerate(self._bands):
            parts = [
                _sum_of_products(parts, bands, axis, order)
                if order == 2 or axis < last
                else None
                for order in range(3)
            ]
        total = parts[2]
        if total is None:  # a lattice of no axes
            return 0.0, np.zeros_like(points)
        slopes = total * self._squares
        return float(np.vdot(points, slopes)), 2 * slopes


def _sum_of_products(
    parts: list[np.ndarray | None], bands: list[np.ndarray], axis: int, order: int
) -> np.ndarray | None:
    """Those of all ways to get as many derivatives; mixed ones count twice."""
    total: np.ndarray | None = None
    for before in range(order + 1):
        part = parts[before]
        if part is None:
            continue
        weight = 2.0 if before == 1 and order == 2 else 1.0
        matrix = (weight * bands[order - before]).astype(np.float32)
        product = apply_bands(part, matrix, axis)
        total = product if total is None else total + product
    return total


def _bands(size: int, order: int) -> np.ndarray:
    """The diagonals of the square of a derivative at the inner knots, `(size, 5)`."""
    stencil = STENCILS[order]
    derivative = sum(
        weight * np.eye(size - 2, size, tap) for tap, weight in enumerate(stencil)
    )
    square = np.pad(derivative.T @ derivative, ((0, 0), (2, 2)))
    return np.stack([square[n, n : n + 5] for n in range(size)])
