"""Affine transforms: from a network's parameters to a matrix, and to a field."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from dlir_tf.layers.compose import matrix_field

Tensor = Any

MAX_SCALE_CHANGE = 0.5


def num_affine_parameters(ndim: int) -> int:
    """12 in 3-d, 6 in 2-d: translation, rotation, scaling, shear."""
    return {2: 6, 3: 12}[ndim]


@keras.saving.register_keras_serializable(package="dlir_tf")
class AffineMatrix(keras.layers.Layer):
    """Turns unbounded affine parameters into a voxel-to-voxel matrix.

    All-zero parameters are the identity. In this order, for 3-d (2-d): three (two)
    translations in units of the grid's half extent; three (one) rotations, limited
    by `tanh`; three (two) scalings, which are `1 + 0.5 tanh(p)`; three (one)
    shears, limited by `tanh`. The linear part is rotation · shear · scaling. It acts
    in mm about the centre of the grid, so voxels may be anisotropic.

    Reference:

    - de Vos et al. (2019), "A deep learning framework for unsupervised affine and
      deformable image registration", Medical Image Analysis 52.
      https://doi.org/10.1016/j.media.2018.11.010

    Args:
        max_rotation: Largest rotation about each axis, in radians.
        max_shear: Largest shear, without unit.

    Call arguments:
        parameters: Unbounded numbers.
        spacing: Voxel size in mm.
        reference: Any tensor on the grid; only its size counts.

    Input shape:
        `(batch, 12)` (3-d) or `(batch, 6)` (2-d); `(batch, ndim)`;
        `(batch, *size, channels)`.

    Output shape:
        `(batch, ndim, ndim + 1)`: voxel `p` of the fixed image belongs to the
        point `A @ p + t` of the moving image, where `[A | t]` is the matrix.

    Raises:
        ValueError: If the number of parameters doesn't fit the rank of the grid.

    Example: a shift along the first axis, by half of its half extent of 4 voxels.

    >>> parameters = keras.ops.array([[0.5, 0, 0, 0, 0, 0]])
    >>> image, spacing = keras.ops.zeros((1, 8, 6, 1)), keras.ops.ones((1, 2))
    >>> matrix = AffineMatrix()(parameters, spacing, image)
    >>> keras.ops.convert_to_numpy(matrix)[0]
    array([[1., 0., 2.],
           [0., 1., 0.]], dtype=float32)
    """

    def __init__(
        self,
        max_rotation: float = math.pi / 4,
        max_shear: float = 0.5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.max_rotation = float(max_rotation)
        self.max_shear = float(max_shear)

    def call(self, parameters: Tensor, spacing: Tensor, reference: Tensor) -> Tensor:
        ndim = len(reference.shape) - 2
        self._check(parameters, ndim)
        linear = self._linear_part(parameters, ndim)
        return about_centre(linear, parameters[:, :ndim], spacing, reference)

    def compute_output_shape(
        self, parameters_shape: Any, spacing_shape: Any, reference_shape: Any
    ) -> tuple[Any, ...]:
        ndim = len(reference_shape) - 2
        return (parameters_shape[0], ndim, ndim + 1)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_rotation": self.max_rotation,
            "max_shear": self.max_shear,
        }

    def _check(self, parameters: Tensor, ndim: int) -> None:
        if ndim not in (2, 3) or parameters.shape[-1] != num_affine_parameters(ndim):
            raise ValueError(
                f"{type(self).__name__}: takes 12 parameters for a 3-d grid, 6 for a "
                f"2-d one. Received: {parameters.shape[-1]} for a {ndim}-d grid"
            )

    def _linear_part(self, parameters: Tensor, ndim: int) -> Tensor:
        num_angles = 1 if ndim == 2 else 3
        bounds = np.cumsum([ndim, num_angles, ndim])
        _, angles, scales, shears = ops.split(parameters, list(bounds), axis=-1)
        rotation = rotation_part(self.max_rotation * ops.tanh(angles), ndim)
        shear = _shear(self.max_shear * ops.tanh(shears), ndim)
        scale = 1.0 + MAX_SCALE_CHANGE * ops.tanh(scales)
        return ops.matmul(rotation, shear) * scale[:, None, :]


def about_centre(
    linear: Tensor, shift: Tensor, spacing: Tensor, reference: Tensor
) -> Tensor:
    """The voxel-to-voxel matrix of a linear map that acts in mm about a grid's centre.

    Args:
        linear: `(batch, ndim, ndim)`, in mm along the axes of the grid.
        shift: `(batch, ndim)`, in units of the grid's half extent.
        spacing: `(batch, ndim)`, voxel size in mm.
        reference: `(batch, *size, channels)`; only its size counts.

    Returns:
        `(batch, ndim, ndim + 1)`.
    """
    size = ops.cast(ops.stack(list(ops.shape(reference)[1:-1])), "float32")
    # About the centre c: y = M (x - c) + shift + c, then back to voxels.
    centre = (size - 1.0) / 2.0
    matrix = linear * spacing[:, None, :] / spacing[:, :, None]
    moved_centre = ops.sum(matrix * centre, axis=-1)
    translation = shift * size / 2.0 + centre - moved_centre
    return ops.concatenate([matrix, translation[..., None]], axis=-1)


@keras.saving.register_keras_serializable(package="dlir_tf")
class AffineTransformer(AffineMatrix):
    """Expands affine parameters into a dense displacement field.

    As `AffineMatrix`, followed by the field that its matrix stands for.

    Output shape:
        `(batch, *size, ndim)`: the displacement field, in voxels of the grid of
        `reference`.

    Example: a shift by half of the half extent, 0.5 * 8 / 2 voxels.

    >>> parameters = keras.ops.array([[0.5, 0, 0, 0, 0, 0]])
    >>> image, spacing = keras.ops.zeros((1, 8, 8, 1)), keras.ops.ones((1, 2))
    >>> ddf = AffineTransformer()(parameters, spacing, image)
    >>> keras.ops.convert_to_numpy(ddf)[0, 3, 4]
    array([2., 0.], dtype=float32)
    """

    def call(self, parameters: Tensor, spacing: Tensor, reference: Tensor) -> Tensor:
        return matrix_field(super().call(parameters, spacing, reference), reference)

    def compute_output_shape(
        self, parameters_shape: Any, spacing_shape: Any, reference_shape: Any
    ) -> tuple[Any, ...]:
        return (*reference_shape[:-1], len(reference_shape) - 2)


def rescale_matrix(matrix: Tensor, factor: tuple[int, ...]) -> Tensor:
    """Carries a matrix from a grid to the one whose voxels are `factor` as large.

    Coarse voxel `q` lies at fine voxel `factor * q + (factor - 1) / 2`.

    Args:
        matrix: `(batch, ndim, ndim + 1)`, voxels of the fine grid.
        factor: Ints, one per axis.

    Returns:
        The same transform in voxels of the coarse grid.
    """
    step = np.asarray(factor, "float32")
    offset = (step - 1) / 2
    linear = matrix[..., :-1] * step / step[:, None]
    moved_offset = ops.sum(matrix[..., :-1] * offset, axis=-1)
    translation = (moved_offset + matrix[..., -1] - offset) / step
    return ops.concatenate([linear, translation[..., None]], axis=-1)


def _matrix_from_rows(rows: list[list[Tensor]]) -> Tensor:
    return ops.stack([ops.stack(row, axis=-1) for row in rows], axis=-2)


def rotation_part(angles: Tensor, ndim: int) -> Tensor:
    """Makes rotation matrices; in 3-d about axis 0, then 1, then 2.

    Args:
        angles: `(batch, 1)` in 2-d, `(batch, 3)` in 3-d; in radians.
        ndim: 2 or 3.

    Returns:
        `(batch, ndim, ndim)`.
    """
    cos, sin = ops.cos(angles), ops.sin(angles)
    zero, one = ops.zeros_like(cos[:, 0]), ops.ones_like(cos[:, 0])

    def plane(angle: int, a: int, b: int) -> Tensor:
        rows = [[one if i == j else zero for j in range(ndim)] for i in range(ndim)]
        rows[a][a] = rows[b][b] = cos[:, angle]
        rows[a][b], rows[b][a] = -sin[:, angle], sin[:, angle]
        return _matrix_from_rows(rows)

    if ndim == 2:
        return plane(0, 0, 1)
    return ops.matmul(plane(2, 0, 1), ops.matmul(plane(1, 2, 0), plane(0, 1, 2)))


def _shear(shears: Tensor, ndim: int) -> Tensor:
    """Upper triangular matrices with ones on the diagonal."""
    zero, one = ops.zeros_like(shears[:, 0]), ops.ones_like(shears[:, 0])
    values = iter(range(shears.shape[-1]))
    rows = [
        [
            one if i == j else shears[:, next(values)] if i < j else zero
            for j in range(ndim)
        ]
        for i in range(ndim)
    ]
    return _matrix_from_rows(rows)
