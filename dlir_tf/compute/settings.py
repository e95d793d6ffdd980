"""Keras' settings, which are those of all programs of a user, and what ours needs."""

import importlib.util
import os

from dlir_tf.errors import InputError

BACKENDS = ("tensorflow", "jax")


def check_backend() -> None:
    """Refuses a backend that this package doesn't run on, before Keras is imported.

    Keras would import it, or end with a traceback where it isn't installed.

    Raises:
        InputError: If the environment's `KERAS_BACKEND` names one.
    """
    name = os.environ.get("KERAS_BACKEND")
    if not name:
        return
    if name not in BACKENDS:
        raise InputError(
            f"KERAS_BACKEND is {name[:100]!r} in this environment, but dlir-tf runs on "
            f"{' or '.join(BACKENDS)}; set it to one of them for this program, or "
            "unset it"
        )
    if importlib.util.find_spec(name) is None:
        raise InputError(
            f"KERAS_BACKEND is {name!r} in this environment, but {name} isn't "
            "installed; install it, or unset KERAS_BACKEND"
        )


def check_keras() -> None:
    """Refuses settings of Keras by which this package's models can't be built.

    They come from a file, `~/.keras/keras.json`, or from the program that imports this
    package. Commands read no such file.

    Raises:
        InputError: If the backend, the order of axes or the floats are others.
    """
    import keras

    found = {
        "backend": (keras.backend.backend(), BACKENDS),
        "image_data_format": (keras.config.image_data_format(), ("channels_last",)),
        "floatx": (keras.config.floatx(), ("float32",)),
    }
    for name, (value, usable) in found.items():
        if value not in usable:
            raise InputError(
                f"Keras' setting {name} is {value!r}, by keras.json or "
                f"keras.config, but dlir-tf needs {' or '.join(map(repr, usable))}; "
                f"mend it there, or start Python with KERAS_HOME set to another folder"
            )
