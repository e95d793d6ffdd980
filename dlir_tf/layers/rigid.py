"""Rigid and similarity transforms: from a network's parameters to a matrix."""

import math
from typing import Any

import keras

from dlir_tf.layers.linear import (
    MAX_SCALE_CHANGE,
    LinearMatrix,
    about_centre,
    rotation_part,
)

Tensor = Any


@keras.saving.register_keras_serializable(package="dlir_tf")
class RigidMatrix(LinearMatrix):
    """Turns unbounded parameters into the voxel-to-voxel matrix of a rigid motion.

    All-zero parameters are the identity. In this order: translations in units of the
    grid's half extent, and rotations, limited by `tanh`, as those of `AffineMatrix`.
    The rotation acts in mm about the centre of the grid, so voxels may be anisotropic;
    what keeps lengths is the map in mm, if the axes of the grid are perpendicular.

    Args:
        max_rotation: Largest rotation about each axis, in radians.

    Call arguments:
        parameters: Unbounded numbers.
        spacing: Voxel size in mm.
        reference: Any tensor on the grid; only its size counts.

    Input shape:
        `(batch, 6)` (3-d) or `(batch, 3)` (2-d); `(batch, ndim)`;
        `(batch, *size, channels)`.

    Output shape:
        `(batch, ndim, ndim + 1)`: voxel `p` of the fixed image belongs to the
        point `A @ p + t` of the moving image, where `[A | t]` is the matrix.

    Raises:
        ValueError: If the number of parameters doesn't fit the rank of the grid.

    Example: a quarter turn, which `tanh` reaches when its argument is large.

    >>> layer = RigidMatrix(max_rotation=math.pi / 2)
    >>> parameters = keras.ops.array([[0.0, 0.0, 50.0]])
    >>> image, spacing = keras.ops.zeros((1, 5, 5, 1)), keras.ops.ones((1, 2))
    >>> matrix = keras.ops.convert_to_numpy(layer(parameters, spacing, image))[0]
    >>> (matrix @ [4, 2, 1]).round(3)
    array([2., 4.])
    """

    num_scales = 0

    def __init__(self, max_rotation: float = math.pi / 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.max_rotation = float(max_rotation)

    def matrix(
        self, parameters: Tensor, spacing: Tensor, size: Tensor, library: Any
    ) -> Tensor:
        ndim = spacing.shape[-1]
        bounds = [ndim, ndim * (ndim + 1) // 2]
        shift, angles, scale = library.split(parameters, bounds, -1)
        angles = self.max_rotation * library.tanh(angles)
        linear = rotation_part(angles, ndim, library)
        if self.num_scales:
            linear = linear * (1.0 + MAX_SCALE_CHANGE * library.tanh(scale))[..., None]
        return about_centre(linear, shift, spacing, size, library)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "max_rotation": self.max_rotation}

    def _check(self, parameters: Tensor, ndim: int) -> None:
        counts = {n: n * (n + 1) // 2 + self.num_scales for n in (2, 3)}
        if parameters.shape[-1] != counts.get(ndim):
            raise ValueError(
                f"{type(self).__name__}: takes {counts[3]} parameters for a 3-d grid, "
                f"{counts[2]} for a 2-d one. Received: {parameters.shape[-1]} for a "
                f"{ndim}-d grid"
            )


@keras.saving.register_keras_serializable(package="dlir_tf")
class SimilarityMatrix(RigidMatrix):
    """Turns unbounded parameters into the matrix of a rigid motion with a scaling.

    As `RigidMatrix`, with one parameter more at the end: the scale, which is
    `1 + 0.5 tanh(p)` in all directions.

    Input shape:
        `(batch, 7)` (3-d) or `(batch, 4)` (2-d); `(batch, ndim)`;
        `(batch, *size, channels)`.
    """

    num_scales = 1
