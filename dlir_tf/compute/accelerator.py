"""Whether there is a graphics processor, or the like, that Keras computes on."""

import functools

import keras


@functools.cache
def has_accelerator() -> bool:
    """Whether the backend of Keras has another device than CPUs."""
    if keras.backend.backend() == "jax":
        import jax

        return bool(jax.default_backend() != "cpu")
    import tensorflow as tf

    kinds = {device.device_type for device in tf.config.list_logical_devices()}
    return bool(kinds - {"CPU"})
