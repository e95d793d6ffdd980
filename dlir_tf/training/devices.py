"""Which devices train, and in which precision."""

import contextlib
from collections.abc import Iterator

import keras
import tensorflow as tf


def training_strategy() -> tf.distribute.Strategy:
    """All GPUs if there are several, else whatever TensorFlow uses by itself.

    GPU memory is taken as it is needed, not all at once.
    """
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        # Too late once a GPU is in use; then its memory is taken already.
        with contextlib.suppress(RuntimeError):
            tf.config.experimental.set_memory_growth(gpu, True)
    return (
        tf.distribute.MirroredStrategy()
        if len(gpus) > 1
        else tf.distribute.get_strategy()
    )


def precision_name(mixed: bool) -> str:
    """The dtype policy of the networks in training.

    Mixed precision is float16 on a GPU, where losses must be scaled, and bfloat16
    on a CPU, which knows no fast float16.
    """
    half = "float16" if tf.config.list_physical_devices("GPU") else "bfloat16"
    return f"mixed_{half}" if mixed else "float32"


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Builds the networks inside the block with this dtype policy."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
