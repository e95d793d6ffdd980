"""Cubic B-splines at points that lie anywhere."""

import numpy as np

from dlir_tf.kernels.compiling import kernel
from dlir_tf.splines.lattice import inside_axis, spline_weights

_weights, _is_inside = kernel(spline_weights), kernel(inside_axis)


def move_by_spline(
    control_points: np.ndarray, to_lattice: np.ndarray, points: np.ndarray
) -> None:
    """Adds to each point what a spline says there; nothing outside its lattice.

    Args:
        control_points: `(*lattice_shape, ndim)`, float64, at least 4 along each axis.
        to_lattice: From points to lattice coordinates, `(ndim + 1, ndim + 1)`.
        points: `(num_points, ndim)`, float64, which are changed.
    """
    *shape, ndim = control_points.shape
    rows = np.ascontiguousarray(to_lattice[:-1], np.float64)
    flat = control_points.reshape(-1)
    if ndim == 2:
        _move_in_plane(flat, shape[0], shape[1], rows, points)
    else:
        _move_in_space(flat, shape[0], shape[1], shape[2], rows, points)


@kernel
def _cell(place, size):
    """Where the four control points begin that count along an axis."""
    return min(max(int(np.floor(place)), 1), size - 3) - 1


@kernel
def _move_in_plane(flat, n0, n1, rows, points):
    for point in points:
        x, y = point[0], point[1]
        a = rows[0, 0] * x + rows[0, 1] * y + rows[0, 2]
        b = rows[1, 0] * x + rows[1, 1] * y + rows[1, 2]
        if not (_is_inside(a, n0) and _is_inside(b, n1)):
            continue
        i, j = _cell(a, n0), _cell(b, n1)
        w0, w1, w2, w3 = _weights(b - (j + 1))
        along = _weights(a - (i + 1))
        for tap in range(4):
            p = 2 * ((i + tap) * n1 + j)
            weight = along[tap]
            point[0] += weight * (
                w0 * flat[p] + w1 * flat[p + 2] + w2 * flat[p + 4] + w3 * flat[p + 6]
            )
            p += 1
            point[1] += weight * (
                w0 * flat[p] + w1 * flat[p + 2] + w2 * flat[p + 4] + w3 * flat[p + 6]
            )


@kernel
def _move_in_space(flat, n0, n1, n2, rows, points):
    for point in points:
        x, y, z = point[0], point[1], point[2]
        a = rows[0, 0] * x + rows[0, 1] * y + rows[0, 2] * z + rows[0, 3]
        b = rows[1, 0] * x + rows[1, 1] * y + rows[1, 2] * z + rows[1, 3]
        c = rows[2, 0] * x + rows[2, 1] * y + rows[2, 2] * z + rows[2, 3]
        if not (_is_inside(a, n0) and _is_inside(b, n1) and _is_inside(c, n2)):
            continue
        i, j, k = _cell(a, n0), _cell(b, n1), _cell(c, n2)
        w0, w1, w2, w3 = _weights(c - (k + 1))
        by_a, by_b = _weights(a - (i + 1)), _weights(b - (j + 1))
        dx, dy, dz = 0.0, 0.0, 0.0
        for first in range(4):
            for second in range(4):
                p = 3 * (((i + first) * n1 + j + second) * n2 + k)
                weight = by_a[first] * by_b[second]
                dx += weight * (
                    w0 * flat[p]
                    + w1 * flat[p + 3]
                    + w2 * flat[p + 6]
                    + w3 * flat[p + 9]
                )
                dy += weight * (
                    w0 * flat[p + 1]
                    + w1 * flat[p + 4]
                    + w2 * flat[p + 7]
                    + w3 * flat[p + 10]
                )
                dz += weight * (
                    w0 * flat[p + 2]
                    + w1 * flat[p + 5]
                    + w2 * flat[p + 8]
                    + w3 * flat[p + 11]
                )
        point[0], point[1], point[2] = x + dx, y + dy, z + dz
