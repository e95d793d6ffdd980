"""Refining the transform of one pair, by gradient descent on its own parameters."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from keras import ops

from dlir_tf.compute.settings import check_keras
from dlir_tf.config import MATRIX, Config
from dlir_tf.errors import InputError
from dlir_tf.layers.pooling import average_pool
from dlir_tf.losses.masks import MASKS, check_mask, pool_mask
from dlir_tf.models.parameters import Parameters
from dlir_tf.pairs.working_pair import WorkingPair
from dlir_tf.refinement.descent import Descent
from dlir_tf.refinement.drift import leads_apart
from dlir_tf.refinement.phases import Phase, plan_phases
from dlir_tf.refinement.variables import start_variables, to_parameters

# Takes the name of a phase, its steps done, its steps to do and the loss.
OnProgress = Callable[[str, int, int, float], object]

# A gain that rounding alone may bring.
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Refined:
    """The result of a refinement.

    Attributes:
        parameters: As a `Predictor` gives them.
        steps: How many were taken, all phases together.
        loss_before: Of the parameters at the start, at the last phase's resolution.
        loss_after: Of the refined ones; never larger.
    """

    parameters: Parameters
    steps: int
    loss_before: float
    loss_after: float


def refine(
    pair: WorkingPair,
    config: Config,
    steps: int,
    *,
    start: Parameters | None = None,
    on_progress: OnProgress = lambda phase, step, steps, loss: None,
) -> Refined:
    """Improves the transform of one pair.

    The pair's own affine parameters and control points descend along the gradient of
    the same loss as in training; no weights of a network change. A phase ends before
    its steps are used up when 20 of them bring less than 0.5 % of what it has gained,
    or the loss is no number any more. A phase whose matrix would take the images
    apart counts for nothing. Stages stay as injective as the config wants them.

    Args:
        pair: On its working grid, with masks or without.
        config: Says the stages, the losses and the learning rate.
        steps: At most, all phases together; see `plan_phases`.
        start: What a network found; without it, the refinement starts from the
            initial alignment alone, and is a registration by itself.
        on_progress: Called every few steps with the name of the phase, the steps
            done in it, the steps to do in it and the loss.

    Returns:
        The refined parameters, those at the start if none were better.

    Raises:
        InputError: If there are no steps, a mask is too thin for a stage, or the loss
            at the start isn't a number, or Keras is set up in a way that doesn't do.

    Example: a square that was moved by two voxels.

    >>> from dlir_tf import Config, Image
    >>> from dlir_tf.pairs.preprocessing import prepare_pair
    >>> stage = {"transform": "affine", "downsample": 1, "feature_spacing": 8}
    >>> config = Config.model_validate({"ndim": 2, "spacing": 1, "stages": [stage]})
    >>> fixed, moving = np.zeros((2, 32, 32))
    >>> fixed[12:20, 12:20] = moving[14:22, 12:20] = 1.0
    >>> pair = prepare_pair(*(Image(a, np.eye(3)) for a in (fixed, moving)), config)
    >>> result = refine(pair, config, steps=80)
    >>> matrix = result.parameters.matrix
    >>> (matrix @ [16, 16, 1]).round() - [16, 16]
    array([2., 0.])
    >>> result.loss_after < 0.2 * result.loss_before
    True
    """
    check_keras()
    if steps < 1:
        raise InputError(f"refine: at least one step is needed. Received: {steps}")
    begin = start or Parameters.identity(config.ndim)
    size, done = pair.grid.shape, 0
    variables = start_variables(begin, config, size)
    phases = plan_phases(config, steps, from_nothing=start is None)
    _check_masks(pair, config, phases)
    for phase in phases:
        descent = Descent(config, phase, _phase_data(pair, phase, begin), size)
        chosen = {name: variables[name] for name in phase.variables}
        best, taken = descent.run(chosen, on_progress)
        done += taken
        found = _to_arrays(variables | best, config, begin, pair)
        if not leads_apart(found.matrix, begin.matrix, pair.mask):
            variables |= best
    exact = start_variables(begin, config, size, exact=True)
    before, after = descent.loss(exact), descent.loss(variables)
    if not math.isfinite(before):
        raise InputError(
            f"the loss of the pair before the refinement is {before}, so there is "
            "nothing to improve; check the images, the masks and the config's weights"
        )
    if not before - after > _ROUNDING:
        return Refined(begin, done, before, before)
    return Refined(_to_arrays(variables, config, begin, pair), done, before, after)


def _check_masks(pair: WorkingPair, config: Config, phases: list[Phase]) -> None:
    """Makes sure that masks are thick enough for the stages that look at them."""
    seen = {phase.factor for phase in phases}
    factors = [stage.downsample for stage in config.all_stages]
    for name in MASKS:
        mask = getattr(pair, name)
        if mask is not None:
            whole = (1,) * mask.ndim
            check_mask(mask, name, [f if f in seen else whole for f in factors])


def _phase_data(pair: WorkingPair, phase: Phase, start: Parameters) -> dict[str, Any]:
    """What the steps of a phase need of the pair, pooled once."""
    data = {
        name: average_pool(_tensor(getattr(pair, name)), phase.factor)
        for name in ("fixed", "moving", "mask")
    }
    for name in MASKS:
        mask = getattr(pair, name)
        if mask is not None:
            data[name] = pool_mask(_tensor(mask), phase.factor)
    spacing = np.asarray([pair.grid.spacing], np.float32)
    matrix = start.matrix[None].astype(np.float32)
    return {
        **data,
        "spacing": ops.convert_to_tensor(spacing),
        "matrix": ops.convert_to_tensor(matrix),
    }


def _tensor(array: np.ndarray) -> Any:
    """As a batch of one with one channel."""
    return ops.convert_to_tensor(array[None, ..., None].astype(np.float32))


def _to_arrays(
    variables: dict[str, np.ndarray],
    config: Config,
    start: Parameters,
    pair: WorkingPair,
) -> Parameters:
    tensors = to_parameters(
        {name: ops.convert_to_tensor(values) for name, values in variables.items()},
        config,
        ops.convert_to_tensor(start.matrix[None].astype(np.float32)),
        ops.convert_to_tensor(np.asarray([pair.grid.spacing], np.float32)),
        pair.grid.shape,
    )
    arrays = {
        name: ops.convert_to_numpy(tensor)[0].astype(np.float64)
        for name, tensor in tensors.named().items()
    }
    if MATRIX not in variables:  # single precision is for what has changed
        arrays[MATRIX] = start.matrix
    return Parameters.of(arrays, config)
