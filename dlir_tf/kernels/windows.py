"""Sums in windows around voxels."""

import numpy as np

from dlir_tf.kernels.compiling import in_blocks, kernel


def window_sums(values: np.ndarray, window: int, before: int) -> np.ndarray:
    """Sums up all values in a window around each voxel; outside, there are zeros.

    Args:
        values: `(*size, channels)`, float32.
        window: Edge length of the window, in voxels.
        before: How many of them come before the voxel, along each axis.

    Returns:
        Of the same shape.
    """
    for axis in range(values.ndim - 1):
        lead = int(np.prod(values.shape[:axis]))
        result = np.empty(values.shape, np.float32)
        lines = values.reshape(lead, values.shape[axis], -1)
        out = result.reshape(lines.shape)
        if axis == 0:
            in_blocks(_sum_columns, lines.shape[2], lines, window, before, out)
        else:
            in_blocks(_sum_lines, lead, lines, window, before, out)
        values = result
    return values


@kernel
def _slide(line, window, before, out, first, last):
    """Along one axis, for the columns from `first` to before `last`."""
    length = line.shape[0]
    total = np.zeros(last - first, np.float64)
    after = window - 1 - before
    for place in range(min(after, length)):
        for k in range(first, last):
            total[k - first] += line[place, k]
    for place in range(length):
        entering, leaving = place + after, place - before - 1
        for k in range(first, last):
            entered = line[entering, k] if entering < length else np.float32(0.0)
            left = line[leaving, k] if leaving >= 0 else np.float32(0.0)
            total[k - first] += np.float64(entered) - np.float64(left)
            out[place, k] = total[k - first]


@kernel
def _sum_columns(lines, window, before, out, start, stop):
    _slide(lines[0], window, before, out[0], start, stop)


@kernel
def _sum_lines(lines, window, before, out, start, stop):
    for line in range(start, stop):
        _slide(lines[line], window, before, out[line], 0, lines.shape[2])
