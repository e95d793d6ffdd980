"""The field of all stages, made so that its gradient is quick.

Refinement takes hundreds of gradients, with nothing but transform layers in them. So
here, where all sizes are known beforehand, splines are expanded by products with small
matrices, and the gradient of sampling a field is written by hand.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from dlir_tf.compute.blocks import gather_rows, grid_axes
from dlir_tf.compute.compilation import compiled_fixed_island
from dlir_tf.config import BSplineStage, Config
from dlir_tf.layers.affine import rescale_matrix
from dlir_tf.layers.bspline import voxel_weights
from dlir_tf.layers.compose import Compose, matrix_field
from dlir_tf.refinement.variables import AFFINE, control_points_name
from dlir_tf.splines.lattice import BORDER

Tensor = Any


def total_field(
    parameters: dict[str, Tensor],
    config: Config,
    factor: tuple[int, ...],
    reference: Tensor,
) -> Tensor:
    """The field of all stages together, as the chain of networks has it.

    Args:
        parameters: `affine`, `(1, ndim, ndim + 1)`, and `control_points_N`,
            `(1, *lattice_shape, ndim)`, of those stages that count; in working voxels.
        config: Says the stages.
        factor: How many working voxels a voxel of the field is long, per axis.
        reference: A tensor `(1, *size, channels)`; only its size counts.

    Returns:
        `(1, *size, ndim)`, in voxels of that grid.
    """
    deformation = None
    for number, stage in enumerate(config.all_stages, start=1):
        points = parameters.get(control_points_name(number))
        if not isinstance(stage, BSplineStage) or points is None:
            continue
        pairs = zip(stage.control_point_spacing, factor, strict=True)
        spacing = tuple(cell // step for cell, step in pairs)
        field = expand(points / np.asarray(factor, "float32"), spacing=spacing)
        deformation = field if deformation is None else compose(deformation, field)
    matrix = rescale_matrix(parameters[AFFINE], factor)
    if deformation is None:
        return matrix_field(matrix, reference)
    return Compose()(matrix, deformation)


@compiled_fixed_island
def expand(control_points: Tensor, *, spacing: tuple[int, ...]) -> Tensor:
    """What `BSplineTransformer` does, for a lattice of known size.

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
        num_cells, after = shape[axis] - 2 * BORDER, math.prod(shape[axis + 1 :])
        matrix = voxel_weights(num_cells, spacing[axis - 1])
        field = ops.matmul(matrix, ops.reshape(field, (-1, shape[axis], after)))
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
    return _interpolate(corners, [fraction[..., None] for fraction in fractions])


@compiled_fixed_island
def _pull_back(field: Tensor, ddf: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
    """The gradients of `_sample`, with respect to the field and to the ddf."""
    corners, rows, fractions, inside = _look_up(field, ddf)
    # First sum over the components, then take the slopes of what is left.
    values = [ops.sum(corner * upstream, axis=-1) for corner in corners]
    slopes = [
        ops.where(within, _interpolate(values, fractions, along=axis), 0.0)
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
    strides = [math.prod(sizes[axis + 1 :]) for axis in range(len(sizes))]
    lowest: Any = 0
    fractions, inside = [], []
    for axis, voxels in enumerate(grid_axes(sizes)):
        place = ddf[..., axis] + voxels
        position = ops.clip(place, 0.0, sizes[axis] - 1.0)
        cell = ops.minimum(ops.cast(position, "int32"), max(sizes[axis] - 2, 0))
        fractions.append(position - ops.cast(cell, "float32"))
        inside.append(ops.equal(place, position))
        lowest = lowest + cell * strides[axis]
    # At the border of an axis of one voxel, the next one is itself.
    pairs = zip(strides, sizes, strict=True)
    steps = [stride * min(size - 1, 1) for stride, size in pairs]
    rows = [
        lowest + sum(c * s for c, s in zip(corner, steps, strict=True))
        for corner in itertools.product((0, 1), repeat=len(sizes))
    ]
    values = ops.reshape(field, (-1, field.shape[-1]))
    return [gather_rows(values, row) for row in rows], rows, fractions, inside


def _interpolate(
    corners: Sequence[Tensor], fractions: Sequence[Tensor], along: int | None = None
) -> Tensor:
    """Interpolates linearly; along one axis, takes the slope instead."""
    for axis in reversed(range(len(fractions))):
        f = fractions[axis]
        pairs = zip(corners[0::2], corners[1::2], strict=True)
        if axis == along:
            corners = [high - low for low, high in pairs]
        else:
            corners = [low * (1.0 - f) + high * f for low, high in pairs]
    return corners[0]
