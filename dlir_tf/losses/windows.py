"""Means in windows around voxels."""

from collections.abc import Iterable
from typing import Any

from keras import ops

Tensor = Any


def window_means(values: Tensor, window: int, axes: Iterable[int]) -> Tensor:
    """Means of all windows that lie wholly inside.

    Sums of shifted slices, axis by axis: so the time grows with the edge length of
    the window, not with its volume.

    Args:
        values: Of any rank.
        window: Edge length of the windows, in voxels.
        axes: Along which the windows extend.

    Returns:
        The same rank; each of the axes is `window - 1` shorter.

    Example:

    >>> ops.convert_to_numpy(window_means(ops.arange(5.0), 3, [0]))
    array([1., 2., 3.], dtype=float32)
    """
    for axis in axes:
        size = ops.shape(values)[axis] - window + 1
        total: Tensor = 0.0
        for start in range(window):
            index = [slice(None)] * axis + [slice(start, start + size)]
            total = total + values[tuple(index)]
        values = total / window
    return values
