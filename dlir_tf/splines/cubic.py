"""The arithmetic of uniform cubic B-splines.

Positions are lattice coordinates: control point `m` has its peak at `m`. A position
`t` in cell `i = floor(t)` is influenced by the control points `i - 1` to `i + 2`, so
a lattice of `n` of them defines the spline on `[1, n - 2]`.
"""

import itertools
import math
from collections.abc import Sequence

import numpy as np
from scipy import sparse

# Points are gone through in blocks whose intermediate results stay in the cache.
_BLOCK = 4096


def inside_lattice(lattice_shape: tuple[int, ...], positions: np.ndarray) -> np.ndarray:
    """Which positions `(num_points, ndim)` the spline is defined at, bool."""
    inside = np.ones(len(positions), bool)
    for size, along in zip(lattice_shape, positions.T, strict=True):
        inside &= inside_axis(size, along)
    return inside


def inside_axis(size: int, positions: np.ndarray) -> np.ndarray:
    """The same along one axis of `size` control points."""
    # Rounding must not cut off what lies on the border.
    return (positions >= 1 - 1e-9) & (positions <= size - 2 + 1e-9)


def cells_and_offsets(
    positions: np.ndarray, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """The cell of each position along one axis, and the place in it.

    Args:
        positions: `(num_points,)`, lattice coordinates.
        size: How many control points there are along the axis.

    Returns:
        Cells from 1 to `size - 3`, and positions minus cells.
    """
    cells = np.clip(np.floor(positions), 1, size - 3).astype(np.intp)
    return cells, positions - cells


def evaluate(
    control_points: np.ndarray,
    positions: np.ndarray,
    derivatives: Sequence[int | None] = (None,),
) -> list[np.ndarray]:
    """Evaluates a spline, or its partial derivatives, at points.

    Args:
        control_points: `(*lattice_shape, channels)`, at least 4 along each axis.
        positions: `(num_points, ndim)`, lattice coordinates.
        derivatives: For each result the axis to differentiate along, per lattice
            step; `None` for the spline itself.

    Returns:
        For each entry of `derivatives` an array `(num_points, channels)`, float64;
        zero outside the lattice.
    """
    *lattice_shape, channels = control_points.shape
    results = [np.zeros((len(positions), channels)) for _ in derivatives]
    inside = inside_lattice(tuple(lattice_shape), positions)
    # The last axis is summed at the end: four neighbours lie together in one row.
    neighbours = np.lib.stride_tricks.sliding_window_view(control_points, 4, axis=-2)
    rows = np.moveaxis(neighbours, -1, -2).reshape(-1, 4 * channels)
    row_shape = (*lattice_shape[:-1], lattice_shape[-1] - 3)
    for start in range(0, len(positions), _BLOCK):
        block = slice(start, start + _BLOCK)
        chosen = inside[block]
        values = _evaluate_block(
            rows, row_shape, positions[block][chosen], derivatives, channels
        )
        for result, value in zip(results, values, strict=True):
            result[block][chosen] = value
    return results


def evaluate_on_grid(
    control_points: np.ndarray, axes: Sequence[np.ndarray]
) -> np.ndarray:
    """Evaluates a spline on the grid of all combinations of coordinates.

    Args:
        control_points: `(*lattice_shape, channels)`.
        axes: Lattice coordinates along each axis.

    Returns:
        `(*lengths, channels)`, zero outside the lattice, in the precision of the
        control points; one sparse matrix product per axis.
    """
    field = control_points
    # First the axes that grow least, so that most of the work is done on few numbers.
    growth = [len(axis) / size for axis, size in zip(axes, field.shape, strict=False)]
    for axis in np.argsort(growth, kind="stable"):
        positions, size = axes[axis], field.shape[axis]
        cells, offsets = cells_and_offsets(positions, size)
        inside = inside_axis(size, positions)
        values = (_weights(offsets) * inside).T.astype(field.dtype)
        columns = cells[:, None] + np.arange(-1, 3)
        starts = np.arange(0, 4 * len(positions) + 1, 4)
        weights = sparse.csr_array(
            (values.ravel(), columns.ravel(), starts), (len(positions), size)
        )
        front = np.moveaxis(field, axis, 0)
        product = weights @ front.reshape(size, -1)
        field = np.moveaxis(product.reshape(-1, *front.shape[1:]), 0, axis)
    return field


def _evaluate_block(
    rows: np.ndarray,
    row_shape: tuple[int, ...],
    positions: np.ndarray,
    derivatives: Sequence[int | None],
    channels: int,
) -> list[np.ndarray]:
    ndim = len(row_shape)
    sizes = [*row_shape[:-1], row_shape[-1] + 3]
    places = [
        cells_and_offsets(positions[:, axis], size) for axis, size in enumerate(sizes)
    ]
    weights = [
        [
            _weight_slopes(offsets) if axis == along else _weights(offsets)
            for axis, (_, offsets) in enumerate(places)
        ]
        for along in derivatives
    ]
    first = np.ravel_multi_index([cells - 1 for cells, _ in places], row_shape)
    strides = [int(np.prod(row_shape[axis + 1 :])) for axis in range(ndim - 1)]
    sums = [np.zeros((len(positions), 4 * channels)) for _ in derivatives]
    for taps in itertools.product(range(4), repeat=ndim - 1):
        step = sum(tap * stride for tap, stride in zip(taps, strides, strict=True))
        taken = rows.take(first + step, axis=0)
        for total, per_axis in zip(sums, weights, strict=True):
            factor = math.prod(per_axis[axis][tap] for axis, tap in enumerate(taps))
            total += taken * factor[:, None]
    return [
        np.einsum("kn,nkc->nc", per_axis[-1], total.reshape(-1, 4, channels))
        for total, per_axis in zip(sums, weights, strict=True)
    ]


def _weights(u: np.ndarray) -> np.ndarray:
    """Weights of the four neighbours, `(4, num_points)`."""
    v = 1 - u
    middle = (3 * u * u * u - 6 * u * u + 4) / 6, (3 * v * v * v - 6 * v * v + 4) / 6
    return np.stack([v * v * v / 6, *middle, u * u * u / 6])


def _weight_slopes(u: np.ndarray) -> np.ndarray:
    """Derivatives of the weights."""
    v = 1 - u
    middle = 1.5 * u * u - 2 * u, 2 * v - 1.5 * v * v
    return np.stack([-(v * v) / 2, *middle, u * u / 2])
