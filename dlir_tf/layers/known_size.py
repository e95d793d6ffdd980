"""Expansion of splines of known size, made so that gradients are quick.

Refinement takes hundreds of gradients, with nothing but transform layers in them. So
where all sizes are known beforehand, splines are expanded by products with small
matrices.
"""

import math
from typing import Any

from keras import ops

from dlir_tf.compute.compilation import compiled_fixed_island
from dlir_tf.layers.bspline import voxel_weights
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
