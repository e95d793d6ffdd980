"""Affine transforms: from a network's parameters to a matrix, and to a field."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops

from dlir_tf.layers.compose import matrix_field
from dlir_tf.layers.linear import (
    MAX_SCALE_CHANGE,
    LinearMatrix,
    about_centre,
    from_rows,
    rotation_part,
)

Tensor = Any


def num_affine_parameters(ndim: int) -> int:
    """12 in 3-d, 6 in 2-d: translation, rotation, scaling, shear."""
    return {2: 6, 3: 12}[ndim]


@keras.saving.register_keras_serializable(package="dlir_tf")
class AffineMatrix(LinearMatrix):
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
        super().__init__(**kwargs)
        self.max_rotation = float(max_rotation)
        self.max_shear = float(max_shear)

    def matrix(
        self, parameters: Tensor, spacing: Tensor, size: Tensor, library: Any
    ) -> Tensor:
        ndim = spacing.shape[-1]
        linear = self._linear_part(parameters, ndim, library)
        return about_centre(linear, parameters[:, :ndim], spacing, size, library)

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

    def _linear_part(self, parameters: Tensor, ndim: int, library: Any) -> Tensor:
        num_angles = 1 if ndim == 2 else 3
        bounds = np.cumsum([ndim, num_angles, ndim])
        _, angles, scales, shears = library.split(parameters, list(bounds), axis=-1)
        angles = self.max_rotation * library.tanh(angles)
        shear = _shear(self.max_shear * library.tanh(shears), ndim, library)
        scale = 1.0 + MAX_SCALE_CHANGE * library.tanh(scales)
        rotation = rotation_part(angles, ndim, library)
        return library.matmul(rotation, shear) * scale[:, None, :]


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


def rescale_matrix(
    matrix: Tensor, factor: tuple[int, ...], library: Any = ops
) -> Tensor:
    """Carries a matrix from a grid to the one whose voxels are `factor` as large.

    Coarse voxel `q` lies at fine voxel `factor * q + (factor - 1) / 2`.

    Args:
        matrix: `(batch, ndim, ndim + 1)`, voxels of the fine grid.
        factor: Ints, one per axis.
        library: `numpy` for arrays.

    Returns:
        The same transform in voxels of the coarse grid.
    """
    step = np.asarray(factor, "float32")
    offset = (step - 1) / 2
    linear = matrix[..., :-1] * step / step[:, None]
    moved_offset = library.sum(matrix[..., :-1] * offset, axis=-1)
    translation = (moved_offset + matrix[..., -1] - offset) / step
    return library.concatenate([linear, translation[..., None]], axis=-1)


def _shear(shears: Tensor, ndim: int, library: Any) -> Tensor:
    """Upper triangular matrices with ones on the diagonal."""
    zero, one = library.zeros_like(shears[:, 0]), library.ones_like(shears[:, 0])
    values = iter(range(shears.shape[-1]))
    rows = [
        [
            one if i == j else shears[:, next(values)] if i < j else zero
            for j in range(ndim)
        ]
        for i in range(ndim)
    ]
    return from_rows(rows, library)
