"""Expansion and composition of fields of known size, made so that gradients are quick.

Refinement takes hundreds of gradients, with nothing but transform layers in them. So
where all sizes are known beforehand, splines are expanded by products with small
matrices, and the gradient of sampling a field is written by hand.
"""

import math
from typing import Any

from keras import ops

from dlir_tf.compute.blocks import gather_rows, grid_axes
from dlir_tf.compute.compilation import compiled_fixed_island
from dlir_tf.layers.bspline import voxel_weights
from dlir_tf.layers.cells import (
    components,
    corner_offsets,
    find_cells,
    interpolate,
    steps_to_next,
)
from dlir_tf.splines.lattice import BORDER

Tensor = Any


@compiled_fixed_island
def expand(control_points: Tensor, *, spacing: tuple[int, ...]) -> Tensor:
    """What `BSplineTransformer` does, for one lattice of known size.

    Args:
        control_points: `(1, *lattice_shape, ndim)`, in voxels of the field.
        spacing: Of the control points, in voxels of the field, per axis.

    Returns:
        `(1, *size, ndim)`.
    """
    # The short axes first, while there's little to multiply: thick slices come last.
    field = ops.moveaxis(control_points[0], -1, 0)
    for axis in reversed(range(1, len(spacing) + 1)):
        shape = field.shape
        matrix = voxel_weights(shape[axis] - 2 * BORDER, spacing[axis - 1])
        field = ops.reshape(field, (-1, shape[axis], math.prod(shape[axis + 1 :])))
        field = ops.matmul(matrix, field)
        field = ops.reshape(field, (*shape[:axis], len(matrix), *shape[axis + 1 :]))
    return ops.moveaxis(field, 0, -1)[None]


def compose(outer: Tensor, inner: Tensor) -> Tensor:
    """What `Compose` does with two fields `(1, *size, ndim)` of the same size."""
    return inner + _sample_displaced(outer, inner)


@ops.custom_gradient
def _sample_displaced(field: Tensor, ddf: Tensor) -> Any:
    def gradient(*args: Any, upstream: Tensor = None) -> tuple[Tensor, Tensor]:
        return _pull_back(field, ddf, args[0] if upstream is None else upstream)

    return _sample(field, ddf), gradient


@compiled_fixed_island
def _sample(field: Tensor, ddf: Tensor) -> Tensor:
    corners, _, fractions, _ = _look_up(field, ddf)
    return interpolate(corners, [fraction[..., None] for fraction in fractions])


@compiled_fixed_island
def _pull_back(field: Tensor, ddf: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of `_sample`, with respect to the field and to the ddf."""
    corners, rows, fractions, inside = _look_up(field, ddf)
    # First sum over the components, then take the slopes of what is left.
    values = [ops.sum(corner * upstream, axis=-1) for corner in corners]
    slopes = [
        ops.where(within, interpolate(values, fractions, along=axis), 0.0)
        for axis, within in enumerate(inside)
    ]
    spread: Tensor = 0.0
    shares = [upstream]
    for fraction in fractions:
        f = fraction[..., None]
        shares = [part for share in shares for part in (share * (1.0 - f), share * f)]
    num_voxels, ndim = math.prod(field.shape[1:-1]), field.shape[-1]
    for share, row in zip(shares, rows, strict=True):
        # One corner at a time: together, they'd have to be written to memory first.
        spread = spread + ops.segment_sum(
            ops.reshape(share, (-1, ndim)), ops.reshape(row, (-1,)), num_voxels
        )
    return ops.reshape(spread, field.shape), ops.stack(slopes, axis=-1)


def _look_up(
    field: Tensor, ddf: Tensor
) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
    """Finds the voxels between which each displaced point lies.

    Returns:
        Values of the field at these, their numbers, the point's fractions of the way
        from one to the next along each axis, and whether it's within the field.
    """
    sizes = field.shape[1:-1]
    displaced = zip(components(ddf), grid_axes(sizes), strict=True)
    places = [component + voxels for component, voxels in displaced]
    lowest, fractions = find_cells(places, sizes, 0)
    rows = [lowest + offset for offset in corner_offsets(steps_to_next(sizes))]
    values = ops.reshape(field, (-1, field.shape[-1]))
    inside = [
        ops.logical_and(place >= 0, place <= size - 1)
        for place, size in zip(places, sizes, strict=True)
    ]
    return [gather_rows(values, row) for row in rows], rows, fractions, inside
