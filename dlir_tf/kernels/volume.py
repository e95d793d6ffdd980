"""The change of volume of a displacement field."""

import numpy as np

from dlir_tf.kernels.compiling import in_blocks, kernel


def change_of_volume(field: np.ndarray, to_steps: np.ndarray) -> np.ndarray:
    """The determinant of the Jacobian, `dlir_tf.metrics.jacobian_determinant`'s way.

    Central differences, at the border one-sided; along an axis with one voxel the field
    is taken as constant.

    Args:
        field: `(*size, ndim)`, float32, in any unit.
        to_steps: From that to voxels along the axes, `(ndim, ndim)`.

    Returns:
        `size`, float32.
    """
    *size, ndim = field.shape
    volume = field.reshape(1, *field.shape) if ndim == 2 else field
    # A slice is a volume of one slice, along whose first axis nothing moves.
    turn = np.zeros((3, ndim), np.float64)
    turn[3 - ndim :] = to_steps
    result = np.empty(size, np.float32)
    rows = volume.shape[0] * volume.shape[1]
    in_blocks(_change_of_volume, rows, volume, turn, result.reshape(volume.shape[:-1]))
    return result


@kernel
def _change_of_volume(field, turn, out, start, stop):
    n0, n1, n2, ndim = field.shape
    zero, half, one = np.float32(0.0), np.float32(0.5), np.float32(1.0)
    m = turn.astype(np.float32)
    slopes = np.zeros((3, 3), np.float32)
    total = np.zeros((3, 3), np.float32)
    for row in range(start, stop):
        i, j = row // n1, row % n1
        i0, i1 = max(i - 1, 0), min(i + 1, n0 - 1)
        j0, j1 = max(j - 1, 0), min(j + 1, n1 - 1)
        by_i = half if i1 - i0 == 2 else one
        by_j = half if j1 - j0 == 2 else one
        for k in range(n2):
            k0, k1 = max(k - 1, 0), min(k + 1, n2 - 1)
            by_k = half if k1 - k0 == 2 else one
            for c in range(ndim):
                slopes[c, 0] = by_i * (field[i1, j, k, c] - field[i0, j, k, c])
                slopes[c, 1] = by_j * (field[i, j1, k, c] - field[i, j0, k, c])
                slopes[c, 2] = by_k * (field[i, j, k1, c] - field[i, j, k0, c])
            for a in range(3):
                for b in range(3):
                    value = one if a == b else zero
                    for c in range(ndim):
                        value += m[a, c] * slopes[c, b]
                    total[a, b] = value
            out[i, j, k] = (
                total[0, 0] * (total[1, 1] * total[2, 2] - total[1, 2] * total[2, 1])
                - total[0, 1] * (total[1, 0] * total[2, 2] - total[1, 2] * total[2, 0])
                + total[0, 2] * (total[1, 0] * total[2, 1] - total[1, 1] * total[2, 0])
            )
