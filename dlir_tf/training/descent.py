"""One step of descent under either backend, for batches that the step makes itself."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

Batch = dict[str, Any]
# Takes what a step is called with, returns a batch; runs within the compiled step.
MakeBatch = Callable[..., Batch]
# Takes a batch and a model's outputs, returns `loss` and its summands, `(batch,)`.
Losses = Callable[[Batch, dict[str, Any]], dict[str, Any]]

INPUTS = ("fixed", "moving", "spacing")


def make_descent(
    make_batch: MakeBatch,
    model: keras.Model,
    losses: Losses,
    variables: list[Any],
    optimizer: keras.Optimizer,
) -> Callable[..., dict[str, Any]]:
    """Returns a compiled function: makes a batch, descends, gives the mean losses.

    Args:
        make_batch: Makes `fixed`, `moving`, `spacing` and what else `losses` needs.
        model: From these inputs to what `losses` looks at.
        losses: What is minimised.
        variables: Of the model, those that are trained.
        optimizer: Built for them.
    """
    make = _jax_step if keras.backend.backend() == "jax" else _tensorflow_step
    return make(make_batch, model, losses, variables, optimizer)


def _inputs(batch: Batch) -> Batch:
    return {name: batch[name] for name in INPUTS}


def _means(losses: dict[str, Any]) -> dict[str, Any]:
    return {name: ops.mean(value) for name, value in losses.items()}


def _tensorflow_step(
    make_batch: MakeBatch,
    model: keras.Model,
    losses: Losses,
    variables: list[Any],
    optimizer: keras.Optimizer,
) -> Callable[..., dict[str, Any]]:
    import tensorflow as tf

    @tf.function(autograph=False)
    def step(*arguments: Any) -> dict[str, Any]:
        batch = make_batch(*arguments)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch([variable.value for variable in variables])
            values = _means(losses(batch, model(_inputs(batch), training=True)))
            loss = optimizer.scale_loss(values["loss"])
        gradients = tape.gradient(loss, variables)
        optimizer.apply_gradients(zip(gradients, variables, strict=True))
        return values

    return step


def _jax_step(
    make_batch: MakeBatch,
    model: keras.Model,
    losses: Losses,
    variables: list[Any],
    optimizer: keras.Optimizer,
) -> Callable[..., dict[str, Any]]:
    import jax

    everything = model.trainable_variables
    trained = {id(variable) for variable in variables}
    # Where those that are trained stand among all, which the model is called with.
    places = {id(variable): place for place, variable in enumerate(everything)}
    order = [places[id(variable)] for variable in variables]
    still = [v for v in everything if id(v) not in trained]
    others = [place for place, v in enumerate(everything) if id(v) not in trained]
    passive, state = model.non_trainable_variables, optimizer.variables

    def loss_of(values: Any, frozen: Any, untrained: Any, batch: Batch) -> Any:
        found = dict(zip([*order, *others], [*values, *frozen], strict=True))
        whole = [found[place] for place in range(len(everything))]
        outputs, untrained = model.stateless_call(
            whole, untrained, _inputs(batch), training=True
        )
        means = _means(losses(batch, outputs))
        return means["loss"], (means, untrained)

    @jax.jit
    def descend(
        values: Any, frozen: Any, untrained: Any, optimizer_state: Any, *arguments: Any
    ) -> Any:
        batch = make_batch(*arguments)
        slope = jax.grad(loss_of, has_aux=True)
        gradients, (means, untrained) = slope(values, frozen, untrained, batch)
        values, optimizer_state = optimizer.stateless_apply(
            optimizer_state, gradients, values
        )
        return means, values, untrained, optimizer_state

    def step(*arguments: Any) -> dict[str, Any]:
        groups = variables, still, passive, state
        tensors = ([variable.value for variable in group] for group in groups)
        means, *changed = descend(*tensors, *arguments)
        for group, new in zip((variables, passive, state), changed, strict=True):
            for variable, value in zip(group, new, strict=True):
                variable.assign(value)
        result: dict[str, Any] = means
        return result

    return step
