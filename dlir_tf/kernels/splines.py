"""Expanding lattices of control points to fields, and summing fields up on lattices."""

import math
from functools import cache

import numpy as np

from dlir_tf.kernels.compiling import in_blocks, kernel
from dlir_tf.splines.lattice import BORDER, lattice_coordinate, spline_weights

_TAPS = 2 * BORDER + 1


def expand(control_points: np.ndarray, spacing: tuple[int, ...]) -> np.ndarray:
    """Evaluates a spline at every voxel.

    Args:
        control_points: `(*lattice_shape, channels)`, float32.
        spacing: Voxels between neighbouring control points, per axis.

    Returns:
        `(*size, channels)`, float32, as `dlir_tf.layers.BSplineTransformer` gives it.
    """
    field = control_points
    for axis in reversed(range(len(spacing))):
        weights = phase_weights(spacing[axis])
        shape = list(field.shape)
        shape[axis] = (shape[axis] - 2 * BORDER) * spacing[axis]
        lines, result = _lines(field, axis), np.empty(shape, np.float32)
        out = _lines(result, axis)
        in_blocks(_expand, out.shape[0] * out.shape[1], lines, weights, out)
        field = result
    return field


def sum_up(field: np.ndarray, spacing: tuple[int, ...]) -> np.ndarray:
    """Sums a field up on a lattice, as voxels weigh there: the adjoint of `expand`.

    It turns the gradient with respect to a field into that with respect to the control
    points which the field was expanded from.

    Args:
        field: `(*size, channels)`, float32.
        spacing: Voxels between neighbouring control points, per axis.

    Returns:
        `(*lattice_shape, channels)`, float32.
    """
    for axis, step in enumerate(spacing):
        weights, shape = phase_weights(step), list(field.shape)
        shape[axis] = shape[axis] // step + 2 * BORDER
        result = np.empty(shape, np.float32)
        out = _lines(result, axis)
        lines = _lines(field, axis)
        in_blocks(_sum_up, out.shape[0] * out.shape[1], lines, weights, out)
        field = result
    return field


@cache
def phase_weights(spacing: int) -> np.ndarray:
    """What control points weigh at the voxels of a cell.

    Args:
        spacing: Voxels per cell.

    Returns:
        `(spacing, 5)`, float32: voxel `p` of cell `q` is influenced by the control
        points from `q` to `q + 4`, and at most by four of them.
    """
    weights = np.zeros((spacing, _TAPS), np.float32)
    for phase in range(spacing):
        place = lattice_coordinate(phase, spacing)
        first = int(place) - 1
        weights[phase, first : first + 4] = spline_weights(place - int(place))
    return weights


def _lines(values: np.ndarray, axis: int) -> np.ndarray:
    """A view of three axes, the middle one being that axis."""
    return values.reshape(math.prod(values.shape[:axis]), values.shape[axis], -1)


@kernel
def _expand(values, weights, out, start, stop):
    _, length, width = out.shape
    spacing = weights.shape[0]
    for row in range(start, stop):
        line, voxel = row // length, row % length
        cell, phase = voxel // spacing, voxel % spacing
        w0, w1, w2 = weights[phase, 0], weights[phase, 1], weights[phase, 2]
        w3, w4 = weights[phase, 3], weights[phase, 4]
        p0, p1, p2 = values[line, cell], values[line, cell + 1], values[line, cell + 2]
        p3, p4 = values[line, cell + 3], values[line, cell + 4]
        target = out[line, voxel]
        for k in range(width):
            target[k] = w0 * p0[k] + w1 * p1[k] + w2 * p2[k] + w3 * p3[k] + w4 * p4[k]


@kernel
def _sum_up(values, weights, out, start, stop):
    _, length, width = out.shape
    spacing = weights.shape[0]
    for row in range(start, stop):
        line, point = row // length, row % length
        target = out[line, point]
        target[:] = 0.0
        for tap in range(5):
            cell = point - tap
            if cell < 0 or cell >= length - 4:
                continue
            for phase in range(spacing):
                weight = weights[phase, tap]
                if weight == 0.0:
                    continue
                source = values[line, cell * spacing + phase]
                for k in range(width):
                    target[k] += weight * source[k]
