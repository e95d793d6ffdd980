"""What layers of linear stages have in common: from numbers to a matrix of voxels."""

from typing import Any

import keras
from keras import ops

Tensor = Any

MAX_SCALE_CHANGE = 0.5


class LinearMatrix(keras.layers.Layer):
    """Turns unbounded numbers into a voxel-to-voxel matrix; the base of such layers.

    Call arguments:
        parameters: Unbounded numbers, `(batch, count)`.
        spacing: Voxel size in mm, `(batch, ndim)`.
        reference: Any tensor on the grid, `(batch, *size, channels)`; only its size
            counts.

    Output shape:
        `(batch, ndim, ndim + 1)`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})

    def call(self, parameters: Tensor, spacing: Tensor, reference: Tensor) -> Tensor:
        self._check(parameters, len(reference.shape) - 2)
        return self.matrix(parameters, spacing, _size_of(reference), ops)

    def matrix(
        self, parameters: Tensor, spacing: Tensor, size: Tensor, library: Any
    ) -> Tensor:
        """The same as a call, by Keras, or without its overhead by NumPy.

        Args:
            parameters: As for a call.
            spacing: Likewise.
            size: Of the grid, `(ndim,)`, float32.
            library: `keras.ops`, or `numpy` if all of these are arrays.
        """
        raise NotImplementedError

    def compute_output_shape(
        self, parameters_shape: Any, spacing_shape: Any, reference_shape: Any
    ) -> tuple[Any, ...]:
        ndim = len(reference_shape) - 2
        return (parameters_shape[0], ndim, ndim + 1)

    def _check(self, parameters: Tensor, ndim: int) -> None:
        """Raises ValueError if the numbers don't fit the rank of the grid."""


def _size_of(reference: Tensor) -> Tensor:
    """The size of a grid, float32, from a tensor `(batch, *size, channels)`."""
    return ops.cast(ops.stack(list(ops.shape(reference)[1:-1])), "float32")


def about_centre(
    linear: Tensor, shift: Tensor, spacing: Tensor, size: Tensor, library: Any
) -> Tensor:
    """The voxel-to-voxel matrix of a linear map that acts in mm about a grid's centre.

    Args:
        linear: `(batch, ndim, ndim)`, in mm along the axes of the grid.
        shift: `(batch, ndim)`, in units of the grid's half extent.
        spacing: `(batch, ndim)`, voxel size in mm.
        size: Of the grid, `(ndim,)`, float32.
        library: `keras.ops`, or `numpy` for arrays.

    Returns:
        `(batch, ndim, ndim + 1)`.
    """
    # About the centre c: y = M (x - c) + shift + c, then back to voxels.
    centre = (size - 1.0) / 2.0
    matrix = linear * spacing[:, None, :] / spacing[:, :, None]
    moved_centre = library.sum(matrix * centre, axis=-1)
    translation = shift * size / 2.0 + centre - moved_centre
    return library.concatenate([matrix, translation[..., None]], axis=-1)


def from_rows(rows: list[list[Tensor]], library: Any) -> Tensor:
    """Matrices `(batch, *, *)` from the rows of their numbers, `(batch,)` each."""
    return library.stack([library.stack(row, axis=-1) for row in rows], axis=-2)


def rotation_part(angles: Tensor, ndim: int, library: Any) -> Tensor:
    """Makes rotation matrices; in 3-d about axis 0, then 1, then 2.

    Args:
        angles: `(batch, 1)` in 2-d, `(batch, 3)` in 3-d; in radians.
        ndim: 2 or 3.
        library: `keras.ops`, or `numpy` for arrays.

    Returns:
        `(batch, ndim, ndim)`.
    """
    cos, sin = library.cos(angles), library.sin(angles)
    zero, one = library.zeros_like(cos[:, 0]), library.ones_like(cos[:, 0])

    def plane(angle: int, a: int, b: int) -> Tensor:
        rows = [[one if i == j else zero for j in range(ndim)] for i in range(ndim)]
        rows[a][a] = rows[b][b] = cos[:, angle]
        rows[a][b], rows[b][a] = -sin[:, angle], sin[:, angle]
        return from_rows(rows, library)

    if ndim == 2:
        return plane(0, 0, 1)
    return library.matmul(
        plane(2, 0, 1), library.matmul(plane(1, 2, 0), plane(0, 1, 2))
    )
