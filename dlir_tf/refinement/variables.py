"""What is refined: unbounded numbers that stand for the parameters of a transform."""

from math import radians
from typing import Any

import numpy as np
from keras import ops

from dlir_tf.config import AffineStage, BSplineStage, Config
from dlir_tf.layers.affine import AffineMatrix, num_affine_parameters
from dlir_tf.layers.compose import Compose
from dlir_tf.splines.lattice import INJECTIVITY_LIMIT, lattice_shape

Tensor = Any

AFFINE = "affine"
# Beyond, `tanh` is so flat that a control point would never come back.
_FAR_OUT = 0.98


def control_points_name(number: int) -> str:
    """What a stage's control points are called; stages are counted from 1."""
    return f"control_points_{number}"


def start_variables(
    parameters: dict[str, np.ndarray],
    config: Config,
    size: tuple[int, ...],
    *,
    exact: bool = False,
) -> dict[str, np.ndarray]:
    """Returns the variables that stand for parameters.

    Args:
        parameters: As a `Predictor` gives them; control points that are missing are 0.
        config: Says the stages.
        size: Of the working grid.
        exact: Whether control points may start where they hardly move any more.

    Returns:
        Batches of one, float32: `affine` if there are affine stages, all 0, and
        `control_points_N`, in units of the spacing.
    """
    variables = {}
    if any(isinstance(stage, AffineStage) for stage in config.all_stages):
        shape = (1, num_affine_parameters(config.ndim))
        variables[AFFINE] = np.zeros(shape, np.float32)
    most = 1 - 1e-6 if exact else _FAR_OUT
    for number, stage in enumerate(config.all_stages, start=1):
        if not isinstance(stage, BSplineStage):
            continue
        name, spacing = control_points_name(number), stage.control_point_spacing
        points = parameters.get(name)
        if points is None:
            points = np.zeros((*lattice_shape(size, spacing), config.ndim))
        values = points / np.asarray(spacing)
        if stage.injective:
            limit = INJECTIVITY_LIMIT[config.ndim]
            values = limit * np.arctanh(np.clip(values / limit, -most, most))
        variables[name] = values[None].astype(np.float32)
    return variables


def to_parameters(
    variables: dict[str, Tensor],
    config: Config,
    matrix: Tensor,
    spacing: Tensor,
    size: tuple[int, ...],
) -> dict[str, Tensor]:
    """Returns the parameters that variables stand for; the inverse of the above.

    Args:
        variables: See `start_variables`.
        config: Says the stages.
        matrix: The affine matrix at the start, `(1, ndim, ndim + 1)`.
        spacing: Of the working grid in mm, `(1, ndim)`.
        size: Of the working grid.
    """
    parameters = {AFFINE: matrix}
    if AFFINE in variables:
        parameters[AFFINE] = _refined_matrix(
            variables[AFFINE], config, matrix, spacing, size
        )
    for name, values in variables.items():
        if name == AFFINE:
            continue
        stage = config.all_stages[int(name.rsplit("_", 1)[1]) - 1]
        if isinstance(stage, BSplineStage):
            if stage.injective:
                limit = INJECTIVITY_LIMIT[config.ndim]
                values = limit * ops.tanh(values / limit)
            steps = np.asarray(stage.control_point_spacing, np.float32)
            parameters[name] = values * steps
    return parameters


def _refined_matrix(
    values: Tensor, config: Config, matrix: Tensor, spacing: Tensor, size: Any
) -> Tensor:
    """The matrix at the start, after a further affine stage."""
    stages = [stage for stage in config.all_stages if isinstance(stage, AffineStage)]
    layer = AffineMatrix(radians(stages[-1].max_rotation_degrees), stages[-1].max_shear)
    own = layer(values, spacing, ops.zeros((1, *size, 1)))
    return Compose()(matrix, own)
