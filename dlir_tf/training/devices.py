"""Which devices train, and in which precision."""

import contextlib
from typing import TYPE_CHECKING

import keras

if TYPE_CHECKING:
    import tensorflow as tf


def training_strategy() -> "tf.distribute.Strategy":
    """All GPUs if there are several, else whatever TensorFlow uses by itself."""
    import tensorflow as tf

    return (
        tf.distribute.MirroredStrategy()
        if let_gpu_memory_grow() > 1
        else tf.distribute.get_strategy()
    )


def let_gpu_memory_grow() -> int:
    """Has GPU memory taken as it is needed, not all at once; returns how many."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        # Too late once a GPU is in use; then its memory is taken already.
        with contextlib.suppress(RuntimeError):
            tf.config.experimental.set_memory_growth(gpu, True)
    return len(gpus)


def precision_name(mixed: bool) -> str:
    """The dtype policy of the networks in training.

    Mixed precision is float16 on a GPU, where losses must be scaled, and bfloat16
    on a CPU, which knows no fast float16, and under JAX.
    """
    half = "bfloat16"
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        half = "float16" if tf.config.list_physical_devices("GPU") else half
    return f"mixed_{half}" if mixed else "float32"


def device_names() -> list[str]:
    """What the devices are called that could train."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return [device.name for device in tf.config.list_logical_devices()]
    return list(keras.distribution.list_devices())
