"""Decides when a function is compiled with XLA.

On a CPU, XLA makes the transform layers (warping, spline expansion) about ten
times faster than a plain TensorFlow graph and convolutions ten times slower. So
a model isn't compiled as a whole: its transform layers are compiled islands in
a plain graph. Elsewhere (JAX) the caller compiles everything or nothing.
"""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras

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
            cache (see `dlir_tf.blocks`): for TensorFlow on a CPU, two to three
            times as fast. Not for TFLite, which runs loops slowly.
    """
    tokens = _islands_enabled.set(False), _in_blocks.set(in_blocks)
    try:
        yield
    finally:
        _islands_enabled.reset(tokens[0])
        _in_blocks.reset(tokens[1])


def works_in_blocks() -> bool:
    """Whether a function that is traced now should work in blocks."""
    return _in_blocks.get() and keras.backend.backend() == "tensorflow"


def compiled_island(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles `function` with XLA wherever it is called under TensorFlow.

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
    @functools.cache
    def compile_once(_ranks_and_channels: tuple[Any, ...]) -> Callable[..., Any]:
        import tensorflow as tf

        return tf.function(
            function, jit_compile=True, autograph=False, reduce_retracing=True
        )

    @functools.wraps(function)
    def island(*tensors: Any, **options: Any) -> Any:
        if keras.backend.backend() != "tensorflow" or not _islands_enabled.get():
            return function(*tensors, **options)
        key = tuple((len(tensor.shape), tensor.shape[-1]) for tensor in tensors)
        return compile_once(key)(*tensors, **options)

    return island


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
