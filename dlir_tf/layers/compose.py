"""Compose: two transforms, one after the other, as one."""

from typing import Any

import keras
import numpy as np
from keras import ops

from dlir_tf.compute.blocks import grid_axes
from dlir_tf.compute.compilation import compiled_island
from dlir_tf.layers.checks import check_field
from dlir_tf.layers.sampling import (
    identity_coordinates,
    sample_displaced,
    sample_linear,
)

Tensor = Any


@keras.saving.register_keras_serializable(package="dlir_tf")
class Compose(keras.layers.Layer):
    """Composes two transforms: `x -> outer(inner(x))`.

    Each is either a displacement field, `x -> x + ddf[x]`, or an affine matrix,
    `x -> A x + t`, in voxels of the same grid. The result is a matrix if both are.
    Adding two fields is not composition: the outer field counts where the inner
    one leads. It is interpolated linearly there, and repeats its border outside; a
    matrix is applied exactly everywhere.

    Args:
        outer_gradient: Whether gradients flow to an outer field, too. Switched off
            where earlier stages are frozen, because that gradient is a slow
            scatter.

    Call arguments:
        outer: The transform that is applied last to a point.
        inner: The transform that is applied first.

    Input shape:
        Fields `(batch, *size, ndim)` of the same size; matrices
        `(batch, ndim, ndim + 1)`.

    Output shape:
        That of the field among the inputs, or of a matrix if there is none.

    Raises:
        ValueError: If the ranks of the two don't fit.

    Example: a shift by one voxel, then by two.

    >>> one = keras.ops.ones((1, 4, 5, 2))
    >>> keras.ops.convert_to_numpy(Compose()(2.0 * one, one))[0, 0, 0]
    array([3., 3.], dtype=float32)
    """

    def __init__(self, outer_gradient: bool = True, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.outer_gradient = outer_gradient

    def call(self, outer: Tensor, inner: Tensor) -> Tensor:
        _check(outer, inner)
        if is_matrix(outer) and is_matrix(inner):
            return _compose_matrices(outer, inner)
        if is_matrix(outer):
            return _matrix_after_field(outer, inner)
        if is_matrix(inner):
            return _field_after_matrix(outer, inner, gradient=self.outer_gradient)
        return _field_after_field(outer, inner, gradient=self.outer_gradient)

    def compute_output_spec(self, outer: Any, inner: Any) -> keras.KerasTensor:
        _check(outer, inner)
        shape = outer.shape if is_matrix(inner) else inner.shape
        return keras.KerasTensor(shape, dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "outer_gradient": self.outer_gradient}


def is_matrix(transform: Tensor) -> bool:
    """Whether a transform is an affine matrix; fields have rank 4 or 5."""
    return len(transform.shape) == 3


def _check(outer: Tensor, inner: Tensor) -> None:
    ndims = []
    for transform in (outer, inner):
        if is_matrix(transform):
            ndims.append(transform.shape[-2])
            if transform.shape[-1] != ndims[-1] + 1:
                raise ValueError(
                    "Compose: a matrix must be shaped (batch, ndim, ndim + 1). "
                    f"Received: {tuple(transform.shape)}"
                )
        else:
            ndims.append(len(transform.shape) - 2)
            check_field("Compose", transform, ndims[-1])
    if ndims[0] != ndims[1]:
        raise ValueError(
            "Compose: both transforms must have the same rank. "
            f"Received: {ndims[0]}-d outer, {ndims[1]}-d inner"
        )


def apply_matrix(matrix: Tensor, points: Tensor) -> Tensor:
    """Maps points `(batch or 1, *shape, ndim)` by `(batch, ndim, ndim + 1)`."""
    ndim = matrix.shape[-2]
    axes = [1] * (len(points.shape) - 2)
    rows = [ops.reshape(matrix[:, a], (-1, *axes, ndim + 1)) for a in range(ndim)]
    return ops.stack(
        [ops.sum(row[..., :-1] * points, axis=-1) + row[..., -1] for row in rows],
        axis=-1,
    )


def _compose_matrices(outer: Tensor, inner: Tensor) -> Tensor:
    linear = ops.matmul(outer[..., :-1], inner)
    return ops.concatenate(
        [linear[..., :-1], linear[..., -1:] + outer[..., -1:]], axis=-1
    )


@compiled_island
def matrix_field(matrix: Tensor, reference: Tensor) -> Tensor:
    """The displacement field of a matrix on the grid of `reference`."""
    batch, *size = ops.shape(reference)[:-1]
    rows = _along_grid(matrix, size)
    return ops.stack([ops.broadcast_to(row, (batch, *size)) for row in rows], axis=-1)


@compiled_island
def _matrix_after_field(matrix: Tensor, ddf: Tensor) -> Tensor:
    # A (p + u) + t - p, in two parts.
    ndim = matrix.shape[-2]
    rows = [
        ops.reshape(matrix[:, a, :-1], (-1, *[1] * ndim, ndim)) for a in range(ndim)
    ]
    fixed_parts = _along_grid(matrix, ops.shape(ddf)[1:-1])
    return ops.stack(
        [
            ops.sum(row * ddf, axis=-1) + fixed_part
            for row, fixed_part in zip(rows, fixed_parts, strict=True)
        ],
        axis=-1,
    )


def _along_grid(matrix: Tensor, size: Any) -> list[Tensor]:
    """The components of `A p + t - p` for every voxel `p`, to be broadcast.

    Summed up along the axes: a grid of coordinates would only depend on its size, and
    converters to TFLite would store it in their files, megabytes of it.
    """
    ndim = matrix.shape[-2]
    change = matrix - np.eye(ndim, ndim + 1, dtype="float32")
    ones = [1] * ndim

    def entry(row: int, column: int) -> Tensor:
        return ops.reshape(change[:, row, column], (-1, *ones))

    axes = grid_axes(tuple(size))
    return [
        sum((entry(a, b) * axis for b, axis in enumerate(axes)), entry(a, ndim))
        for a in range(ndim)
    ]


@compiled_island
def _field_after_matrix(ddf: Tensor, matrix: Tensor, *, gradient: bool) -> Tensor:
    ddf = ddf if gradient else ops.stop_gradient(ddf)
    grid = identity_coordinates(ops.shape(ddf)[1:-1])
    points = apply_matrix(matrix, grid)
    return sample_linear(ddf, points) + points - grid


@compiled_island
def _field_after_field(outer: Tensor, inner: Tensor, *, gradient: bool) -> Tensor:
    outer = outer if gradient else ops.stop_gradient(outer)
    return inner + sample_displaced(outer, inner)
