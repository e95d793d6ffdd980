"""Between which voxels a point lies, and what it gets of them: linear interpolation."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

from keras import ops

Tensor = Any


def components(vectors: Tensor) -> list[Tensor]:
    """Takes vectors, `(*shape, ndim)`, apart; `ndim` tensors `shape`."""
    return ops.unstack(vectors, vectors.shape[-1], axis=-1)


def strides_of(sizes: Sequence[Any]) -> list[Any]:
    """From a voxel's number to those of its neighbours, per axis."""
    return [math.prod(sizes[axis + 1 :], start=1) for axis in range(len(sizes))]


def clip_to(position: Tensor, size: Any) -> Tensor:
    """Takes coordinates beyond an axis of `size` voxels to its ends."""
    return ops.clip(position, 0.0, ops.cast(size - 1, "float32"))


def find_cells(
    positions: list[Tensor], sizes: Sequence[Any], first: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Finds the cells of voxels that points lie in.

    Args:
        positions: For each axis, voxel coordinates; the border goes on beyond it.
        sizes: Of the image, per axis.
        first: The number of the image's first voxel.

    Returns:
        The number of each cell's lowest corner, and for each axis how far the point
        is on the way to the next one, 0 to 1.
    """
    lowest, fractions = first, []
    for position, size, stride in zip(positions, sizes, strides_of(sizes), strict=True):
        position = clip_to(position, size)
        # The cell's lower corner; at the last voxel, the cell before it.
        cell = ops.minimum(ops.cast(position, "int32"), ops.maximum(size - 2, 0))
        fractions.append(position - ops.cast(cell, "float32"))
        lowest = lowest + cell * stride
    return lowest, fractions


def steps_to_next(sizes: Sequence[Any]) -> list[Any]:
    """From a voxel's number to that of the next one along each axis.

    Along an axis of one voxel, the next one is itself.
    """
    pairs = zip(strides_of(sizes), sizes, strict=True)
    return [stride * ops.minimum(size - 1, 1) for stride, size in pairs]


def corner_offsets(steps: Sequence[Any]) -> list[Any]:
    """From the number of a cell's lowest corner to those of all, in row order.

    One index per point and a constant step to each further corner: three times as
    fast as eight indices of their own, compiled or not.
    """
    return [
        sum(c * s for c, s in zip(corner, steps, strict=True))
        for corner in itertools.product((0, 1), repeat=len(steps))
    ]


def interpolate(
    corners: list[Tensor], fractions: list[Tensor], along: int | None = None
) -> Tensor:
    """Interpolates linearly between corners; takes the slope along one axis, if any."""
    for axis in reversed(range(len(fractions))):
        pairs = list(zip(corners[0::2], corners[1::2], strict=True))
        if axis == along:
            corners = [high - low for low, high in pairs]
            continue
        fraction = fractions[axis]
        if corners[0].shape[-1] != 1:
            # Once here, not in each of the multiplications.
            fraction = ops.broadcast_to(fraction, ops.shape(corners[0]))
        rest = 1.0 - fraction
        # This form returns a voxel's own value exactly, also at the last one.
        corners = [low * rest + high * fraction for low, high in pairs]
    return corners[0]
