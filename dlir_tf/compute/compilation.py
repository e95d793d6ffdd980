"""Decides when a function is compiled with XLA.

On a CPU, XLA makes the transform layers (warping, spline expansion) about ten
times faster than a plain TensorFlow graph and convolutions ten times slower. So
a model isn't compiled as a whole: its transform layers are compiled islands in
a plain graph. Elsewhere (JAX) the caller compiles everything or nothing.
"""

import contextlib
import contextvars
import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Any

import keras

# Per function: a registration needs a few.
_MOST_SHAPES = 64

_islands_enabled = contextvars.ContextVar("islands_enabled", default=True)
_in_blocks = contextvars.ContextVar("in_blocks", default=False)


@contextlib.contextmanager
def without_islands(*, in_blocks: bool = False) -> Iterator[None]:
    """Traces functions inside this block as plain graphs, with no XLA in them.

    TensorFlow Serving's official binaries can't run must-compile functions on a
    GPU and need a flag for it on a CPU, and TFLite has no notion of them; what is
    exported is traced inside this block.

    Args:
        in_blocks: Whether images are sampled in blocks that fit a processor's
            cache (see `dlir_tf.compute.blocks`): for TensorFlow on a CPU, two to three
            times as fast. Not for TFLite, which runs loops slowly.
    """
    tokens = _islands_enabled.set(False), _in_blocks.set(in_blocks)
    try:
        yield
    finally:
        _islands_enabled.reset(tokens[0])
        _in_blocks.reset(tokens[1])


@contextlib.contextmanager
def all_at_once() -> Iterator[None]:
    """Has functions inside work on all points at once: they are a block already."""
    token = _in_blocks.set(False)
    try:
        yield
    finally:
        _in_blocks.reset(token)


def works_in_blocks() -> bool:
    """Whether a function that is traced now should work in blocks."""
    return _in_blocks.get() and keras.backend.backend() == "tensorflow"


def compiled_island(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles `function` with XLA wherever it is called under TensorFlow.

    Its gradient is another such function, which computes what it needs from the
    inputs anew: that is quicker than to write all intermediate results to memory and
    to read them again.

    Args:
        function: Takes tensors as positional arguments and hashable Python
            values as keyword arguments; uses `keras.ops` only. Shapes may be
            dynamic; XLA compiles it once per shape that occurs.

    Returns:
        A function with the same signature. Under another backend than
        TensorFlow, or inside `without_islands`, it just calls `function`.
    """
    # One trace serves all sizes, but not all ranks: TensorFlow would generalise a
    # 2-d and a 3-d call to a tensor of unknown rank, which no layer can handle.
    return _island(function, lambda shape: (len(shape), shape[-1]), None)


def compiled_fixed_island(function: Callable[..., Any]) -> Callable[..., Any]:
    """As `compiled_island`, for functions that are quicker where all sizes are known.

    There is a trace for each set of shapes; those used last are kept. Where a size
    isn't known, it just calls `function`.
    """
    return _island(function, tuple, _MOST_SHAPES)


def _island(
    function: Callable[..., Any],
    distinction: Callable[[Any], Any],
    most_kept: int | None,
) -> Callable[..., Any]:
    @functools.lru_cache(most_kept)
    def compile_once(_distinction: tuple[Any, ...]) -> Callable[..., Any]:
        return _compile_with_gradient(function)

    @functools.wraps(function)
    def island(*tensors: Any, **options: Any) -> Any:
        if keras.backend.backend() != "tensorflow" or not _islands_enabled.get():
            return function(*tensors, **options)
        key = tuple(distinction(tensor.shape) for tensor in tensors)
        if most_kept is not None and None in itertools.chain(*key):
            return function(*tensors, **options)
        return compile_once(key)(*tensors, **options)

    return island


def _compile_with_gradient(function: Callable[..., Any]) -> Callable[..., Any]:
    import tensorflow as tf

    def compiled(body: Callable[..., Any]) -> Callable[..., Any]:
        return tf.function(
            body, jit_compile=True, autograph=False, reduce_retracing=True
        )

    def pull_back(upstream: Any, *tensors: Any, **options: Any) -> Any:
        floating = [tensor for tensor in tensors if tensor.dtype.is_floating]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(floating)
            result = function(*tensors, **options)
        # Dense: XLA hands out nothing else.
        found = (
            None if gradient is None else tf.convert_to_tensor(gradient)
            for gradient in tape.gradient(result, floating, upstream)
        )
        return [next(found) if t.dtype.is_floating else None for t in tensors]

    forward, backward = compiled(function), compiled(pull_back)

    def recomputing(*tensors: Any, **options: Any) -> Any:
        @tf.custom_gradient
        def island_of(*inputs: Any) -> Any:
            return forward(*inputs, **options), lambda upstream: backward(
                upstream, *inputs, **options
            )

        return island_of(*tensors)

    return recomputing


def compiled_graph(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a whole function: to a graph (TensorFlow) or by `jit` (JAX).

    Args:
        function: Takes and returns (nested) tensors; `keras.ops` only.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return tf.function(function, autograph=False, reduce_retracing=True)
    if backend == "jax":
        import jax

        return jax.jit(function)
    return function


def value_and_gradient(
    function: Callable[..., Any],
) -> Callable[..., tuple[Any, dict[str, Any]]]:
    """Returns a function that also differentiates.

    Args:
        function: Takes a dict of tensors, by which is differentiated, and whatever
            else; returns a scalar tensor. `keras.ops` only.

    Returns:
        A function with the same arguments, to be called within `compiled_graph`,
        that returns the scalar and a dict of its gradients.

    Raises:
        NotImplementedError: Under another backend than TensorFlow and JAX.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return jax.value_and_grad(function)
    if backend != "tensorflow":
        raise NotImplementedError(
            f"there are no gradients under the Keras backend {backend}; set "
            "KERAS_BACKEND to tensorflow or jax before Python starts"
        )
    import tensorflow as tf

    def differentiate(variables: dict[str, Any], *others: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(variables)
            value = function(variables, *others)
        gradients = tape.gradient(value, variables, unconnected_gradients="zero")
        return value, gradients

    return differentiate
