"""The layers that make the matrices of linear stages."""

from collections.abc import Callable
from math import radians
from typing import Any

from dlir_tf.config import AffineStage, LinearStage, RigidStage, SimilarityStage
from dlir_tf.layers.affine import AffineMatrix
from dlir_tf.layers.linear import LinearMatrix
from dlir_tf.layers.rigid import RigidMatrix, SimilarityMatrix


def _rigid(stage: RigidStage) -> LinearMatrix:
    return RigidMatrix(radians(stage.max_rotation_degrees))


def _similarity(stage: SimilarityStage) -> LinearMatrix:
    return SimilarityMatrix(radians(stage.max_rotation_degrees))


def _affine(stage: AffineStage) -> LinearMatrix:
    return AffineMatrix(radians(stage.max_rotation_degrees), stage.max_shear)


# One for each kind of linear stage.
_LAYERS: dict[type[LinearStage], Callable[[Any], LinearMatrix]] = {
    RigidStage: _rigid,
    SimilarityStage: _similarity,
    AffineStage: _affine,
}


def matrix_layer(stage: LinearStage) -> LinearMatrix:
    """Makes the layer that turns the numbers of a linear stage into its matrix.

    Args:
        stage: Any kind of them.

    Returns:
        A layer without weights: `(numbers, spacing, reference) -> matrix`, as
        `dlir_tf.layers.affine.AffineMatrix`, which takes `stage.num_parameters[ndim]`
        numbers. If these are 0, it is the identity.
    """
    return _LAYERS[type(stage)](stage)
