"""What is refined: unbounded numbers that stand for the parameters of a transform."""

from typing import Any

import numpy as np
from keras import ops

from dlir_tf.config import Config
from dlir_tf.layers.bspline import bound_control_points
from dlir_tf.layers.compose import Compose
from dlir_tf.models.linear import matrix_layer
from dlir_tf.models.parameters import Parameters
from dlir_tf.splines.lattice import INJECTIVITY_LIMIT

Tensor = Any

# Beyond, `tanh` is so flat that a control point would never come back.
_FAR_OUT = 0.98


def start_variables(
    parameters: Parameters,
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
        Batches of one, float32, by the names of the parameters: what a further linear
        stage is made of, all 0, if there are such stages; and control points in units
        of the spacing.
    """
    variables = {}
    if linear := config.freest_linear_stage:
        shape = (1, linear.stage.num_parameters[config.ndim])
        variables[linear.name] = np.zeros(shape, np.float32)
    most = 1 - 1e-6 if exact else _FAR_OUT
    for _, name, stage in config.all_deformable_stages:
        points = parameters.control_points.get(name)
        if points is None:
            points = np.zeros((*stage.lattice_shape(size), config.ndim))
        values = points / np.asarray(stage.control_point_spacing)
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
) -> Parameters:
    """Returns the parameters that variables stand for; the inverse of the above.

    Args:
        variables: See `start_variables`; stages that have none don't count.
        config: Says the stages.
        matrix: The matrix at the start, `(1, ndim, ndim + 1)`.
        spacing: Of the working grid in mm, `(1, ndim)`.
        size: Of the working grid.
    """
    linear = config.freest_linear_stage
    if linear and linear.name in variables:
        # After that at the start comes a further linear stage.
        layer = matrix_layer(linear.stage)
        own = layer(variables[linear.name], spacing, ops.zeros((1, *size, 1)))
        matrix = Compose()(matrix, own)
    control_points = {}
    for _, name, stage in config.all_deformable_stages:
        if name in variables:
            steps = stage.control_point_spacing
            points = variables[name] * np.asarray(steps, np.float32)
            if stage.injective:
                points = bound_control_points(points, steps)
            control_points[name] = points
    return Parameters(matrix, control_points)
