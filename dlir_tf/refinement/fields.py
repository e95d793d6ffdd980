"""The field of all stages of a refinement."""

from typing import Any

import numpy as np

from dlir_tf.config import Config
from dlir_tf.layers.affine import rescale_matrix
from dlir_tf.layers.compose import Compose, matrix_field
from dlir_tf.layers.known_size import compose, expand
from dlir_tf.models.parameters import Parameters

Tensor = Any


def total_field(
    parameters: Parameters,
    config: Config,
    factor: tuple[int, ...],
    reference: Tensor,
) -> Tensor:
    """The field of all stages together, as the chain of networks has it.

    Args:
        parameters: Tensors, batches of one.
        config: Says the stages.
        factor: How many working voxels a voxel of the field is long, per axis.
        reference: A tensor `(1, *size, channels)`; only its size counts.

    Returns:
        `(1, *size, ndim)`, in voxels of that grid.
    """
    deformation = None
    for (_, _, stage), points in parameters.splines(config):
        pairs = zip(stage.control_point_spacing, factor, strict=True)
        spacing = tuple(cell // step for cell, step in pairs)
        field = expand(points / np.asarray(factor, "float32"), spacing=spacing)
        deformation = field if deformation is None else compose(deformation, field)
    matrix = rescale_matrix(parameters.matrix, factor)
    if deformation is None:
        return matrix_field(matrix, reference)
    return Compose()(matrix, deformation)
