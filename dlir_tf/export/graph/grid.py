"""The working grid of a fixed image, as `dlir_tf.pairs.working_grid` lays it."""

import itertools
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from dlir_tf.config import Config
from dlir_tf.export.graph.size import size_checks
from dlir_tf.pairs.size import MAX_SERVED_VOXELS

Tensor = Any


class WorkingGrid(NamedTuple):
    """The grid on which a pair is registered.

    Attributes:
        shape: `(ndim,)`, int32, padding included.
        affine: Voxel-to-world matrix `(ndim + 1, ndim + 1)`, float64.
        axes: `(ndim,)`, int32: which axis of the fixed image each axis runs along.
    """

    shape: Tensor
    affine: Tensor
    axes: Tensor


def working_grid(
    size: Tensor,
    affine: Tensor,
    config: Config,
    max_voxels: int = MAX_SERVED_VOXELS,
    pair: Tensor | None = None,
) -> WorkingGrid:
    """Lays the working grid over the fixed image.

    Args:
        size: The fixed image's shape, `(ndim,)`, int32.
        affine: Its voxel-to-world matrix, float64.
        config: Says spacing, multiple and the order of axes.
        max_voxels: The most that the grid may have; what needs more fails.
        pair: The number of the pair, for sentences.
    """
    linear, own_spacing = affine[:-1, :-1], tf.norm(affine[:-1, :-1], axis=0)
    axes, signs = working_axes(affine, config.axes)
    spacing = tf.gather(own_spacing, axes)
    step = tf.stack(
        [
            spacing[axis] if mm is None else tf.constant(mm, tf.float64)
            for axis, mm in enumerate(config.spacing)
        ]
    )
    own_size = tf.gather(size, axes)
    extent = tf.cast(own_size, tf.float64) * spacing
    if config.longest_axis is not None:
        step = tf.ones_like(step) * (tf.reduce_max(extent) / config.longest_axis)
    # A grid that is a hundredth of a voxel too short is not worth a voxel more.
    needed = tf.maximum(tf.math.ceil(extent / step - 0.01), 1)
    multiple = tf.constant(config.multiple, tf.float64)
    padded = tf.math.ceil(needed / multiple) * multiple
    checks = size_checks(needed, padded, own_size, spacing, step, max_voxels, pair)
    # Nobody sees what is too large, nor the integers that it overflows to.
    with tf.control_dependencies(checks):
        unpadded, shape = tf.cast(needed, tf.int32), tf.cast(padded, tf.int32)
    directions = tf.gather(linear / own_spacing, axes, axis=1)
    columns = directions * signs * step
    centre = (
        tf.linalg.matvec(linear, tf.cast(size - 1, tf.float64) / 2) + affine[:-1, -1]
    )
    first = tf.cast((shape - unpadded) // 2, tf.float64)
    middle = first + tf.cast(unpadded - 1, tf.float64) / 2
    origin = centre - tf.linalg.matvec(columns, middle)
    return WorkingGrid(shape, homogeneous(columns, origin), axes)


def working_axes(affine: Tensor, order: str) -> tuple[Tensor, Tensor]:
    """Which voxel axes the axes of the working grid follow, and in which direction.

    As `dlir_tf.pairs.working_grid.working_axes`, whose assignment problem is small
    enough to try all its solutions.
    """
    ndim = affine.shape[-1] - 1
    linear = affine[:-1, :-1]
    spacing = tf.norm(linear, axis=0)
    likeness = tf.abs(linear / spacing)
    slices_last = order == "slices_last" and ndim == 3
    rows, columns = _assignments(ndim, 1 if slices_last else 0)
    num_rows = rows.shape[1]
    scores = tf.reduce_sum(
        tf.gather_nd(likeness, np.stack([rows, columns[:, :num_rows]], -1)), axis=1
    )
    if slices_last:
        # Among equal spacings, the axis closest to superior.
        thick = spacing > 0.99 * tf.reduce_max(spacing)
        last = tf.argmax(tf.where(thick, likeness[2], -1), output_type=tf.int32)
        scores = tf.where(tf.equal(columns[:, -1], last), scores, -1)
    # The first among equals, however they were rounded.
    best = tf.argmax(scores > tf.reduce_max(scores) - 1e-9, output_type=tf.int32)
    axes = tf.gather(columns, best)
    chosen = tf.gather(likeness, axes, axis=1)
    main_row = tf.argmax(chosen, axis=0, output_type=tf.int32)
    main_component = tf.gather_nd(linear, tf.stack([main_row, axes], axis=1))
    signs = tf.where(main_component < 0, -1.0, 1.0)
    return axes, tf.cast(signs, tf.float64)


def _assignments(ndim: int, num_last: int) -> tuple[np.ndarray, np.ndarray]:
    """All ways of assigning image axes to world axes, some image axes set aside.

    Returns:
        World axes in ascending order, `(num, ndim - num_last)`, and the image axis of
        each, followed by those set aside, `(num, ndim)`; int32.
    """
    rows, columns = [], []
    for chosen in itertools.combinations(range(ndim), ndim - num_last):
        for axes in itertools.permutations(range(ndim)):
            rows.append(chosen)
            columns.append(axes)
    return np.array(rows, np.int32), np.array(columns, np.int32)


def homogeneous(linear: Tensor, offset: Tensor) -> Tensor:
    """Joins a linear part and a translation: `(ndim + 1, ndim + 1)`, float64."""
    ndim = linear.shape[-1]
    last_row = tf.one_hot([ndim], ndim + 1, dtype=tf.float64)
    return tf.concat([tf.concat([linear, offset[:, None]], axis=1), last_row], axis=0)
