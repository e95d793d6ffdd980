"""Gradient descent on the variables of one pair, in compiled steps."""

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from dlir_tf.compute.compilation import compiled_graph, value_and_gradient
from dlir_tf.config import MATRIX, Config
from dlir_tf.layers.warp import Warp
from dlir_tf.models.objective import Objective
from dlir_tf.refinement.fields import total_field
from dlir_tf.refinement.phases import Phase, rate_at
from dlir_tf.refinement.variables import to_parameters

Tensor = Any
Tensors = dict[str, Tensor]

# Steps between looks at the loss: a GPU would have to wait for each of them.
CHECK_EVERY = 10
# A phase ends when so many looks on end brought less than this part of what it gained.
PATIENCE = 2
LEAST_GAIN = 0.005

_MOMENTUM, _MEMORY, _TINY = 0.9, 0.99, 1e-10
# Of the mean square of a variable's gradients, which is added to that of each number:
# control points in the background, of next to no gradient, stay where they are.
_FLOOR = 0.3
_MOST_FUNCTIONS = 32


class Descent:
    """Refines variables in one phase.

    Args:
        config: Says the stages and the losses.
        phase: What is refined.
        data: Tensors of the pair, pooled: `fixed`, `moving`, `mask` and perhaps
            `fixed_mask` and `moving_mask`, `(1, *size, 1)`; `spacing`, `(1, ndim)`, of
            the working grid in mm; `matrix`, that at the start.
        size: Of the working grid.
    """

    def __init__(
        self, config: Config, phase: Phase, data: Tensors, size: tuple[int, ...]
    ) -> None:
        self._config, self._phase, self._data = config, phase, data
        self._step = _step_function(config, phase.factor, phase.variables, size)

    def loss(self, variables: dict[str, np.ndarray]) -> float:
        """Evaluates the loss of variables."""
        _, loss = self._step(_first_state(variables), np.float32(0), self._data)
        return float(loss)

    def run(
        self,
        variables: dict[str, np.ndarray],
        on_progress: Callable[[str, int, int, float], object],
    ) -> tuple[dict[str, np.ndarray], int]:
        """Goes on until the steps are used up, or bring nothing any more.

        Args:
            variables: Where it starts.
            on_progress: Called now and then with the phase's name, the steps done, the
                steps to do and the loss.

        Returns:
            The best variables, and how many steps were taken.
        """
        state = _first_state(variables)
        checked: list[float] = []
        for number in range(1, self._phase.steps + 1):
            rate = rate_at(self._config, self._phase, number)
            state, loss = self._step(state, np.float32(rate), self._data)
            if number > 1 and number % CHECK_EVERY and number < self._phase.steps:
                continue
            checked.append(float(loss))
            on_progress(self._phase.name, number, self._phase.steps, checked[-1])
            if not math.isfinite(checked[-1]) or _is_done(checked):
                break
        best = {k: ops.convert_to_numpy(v) for k, v in state["best"].items()}
        return best, number


def _is_done(losses: list[float]) -> bool:
    """Whether the last looks show too little of what was gained since the worst.

    Which isn't always the start: the first steps overshoot, and are made up for.
    """
    falling = losses[losses.index(max(losses)) :]
    if len(falling) <= PATIENCE:
        return False
    earlier, lately = min(falling[:-PATIENCE]), min(falling[-PATIENCE:])
    return earlier - lately <= LEAST_GAIN * (falling[0] - lately)


def _first_state(variables: dict[str, np.ndarray]) -> dict[str, Any]:
    tensors = {name: ops.convert_to_tensor(v) for name, v in variables.items()}
    zeros = {name: ops.zeros_like(tensor) for name, tensor in tensors.items()}
    return {
        "variables": tensors,
        "mean": zeros,
        "square": zeros,
        "best": tensors,
        "best_loss": ops.convert_to_tensor(np.float32(np.inf)),
        "count": ops.convert_to_tensor(np.float32(0)),
    }


@functools.lru_cache(_MOST_FUNCTIONS)
def _step_function(
    config: Config,
    factor: tuple[int, ...],
    names: tuple[str, ...],
    size: tuple[int, ...],
) -> Callable[..., Any]:
    """Returns a compiled function: state, rate, data -> next state, loss."""
    del names  # which only tell functions apart, whose state is another
    whole = (1,) * config.ndim
    objective = Objective(config, whole)  # of images and masks that are pooled already

    def loss_of(variables: Tensors, data: Tensors) -> Tensor:
        parameters = to_parameters(
            variables, config, data["matrix"], data["spacing"], size
        )
        ddf = total_field(parameters, config, factor, data["fixed"])
        moved = Warp()(data["moving"], ddf)
        outputs = {"fixed": data["fixed"], "moved": moved, "ddf": ddf}
        return objective(data, outputs | parameters.named())["loss"][0]

    differentiate = value_and_gradient(loss_of)

    def step(state: dict[str, Any], rate: Tensor, data: Tensors) -> Any:
        loss, gradients = differentiate(state["variables"], data)
        is_best = loss < state["best_loss"]
        best = {
            name: ops.where(is_best, values, state["best"][name])
            for name, values in state["variables"].items()
        }
        moved = _adam(state, gradients, rate)
        best_loss = ops.where(is_best, loss, state["best_loss"])
        return {**moved, "best": best, "best_loss": best_loss}, loss

    return compiled_graph(step)


def _adam(state: dict[str, Any], gradients: Tensors, rate: Tensor) -> dict[str, Any]:
    """One step of Adam (Kingma and Ba, 2015, https://arxiv.org/abs/1412.6980).

    But for `_FLOOR`.
    """
    count = state["count"] + 1.0
    variables, means, squares = {}, {}, {}
    for name, gradient in gradients.items():
        mean = _MOMENTUM * state["mean"][name] + (1 - _MOMENTUM) * gradient
        square = _MEMORY * state["square"][name] + (1 - _MEMORY) * gradient**2
        direction = mean / (1.0 - ops.power(_MOMENTUM, count))
        floor = 0.0 if name == MATRIX else _FLOOR
        square_and_floor = square + floor * ops.mean(square)
        length = ops.sqrt(square_and_floor / (1.0 - ops.power(_MEMORY, count)))
        variables[name] = state["variables"][name] - rate * direction / (length + _TINY)
        means[name], squares[name] = mean, square
    return {"variables": variables, "mean": means, "square": squares, "count": count}
