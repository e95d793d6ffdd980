"""Writing graphs to disk by TensorFlow, whatever they are made into afterwards."""

from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from dlir_tf.errors import InputError
from dlir_tf.files import disk_errors, known_as


def check_backend(what: str) -> None:
    """Refuses backends whose graphs can't be saved.

    Args:
        what: What is to be made.

    Raises:
        InputError: If the backend isn't TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"export: a {what} can only be made under the backend tensorflow; unset "
            f"KERAS_BACKEND. Received: {keras.backend.backend()}"
        )


def save_graphs(
    folder: Path, network: keras.Model, functions: dict[str, Any]
) -> dict[str, Any]:
    """Writes functions that use a network's weights, as a plain SavedModel.

    Args:
        folder: The folder to fill.
        network: Whose weights are saved.
        functions: By the names of their signatures.

    Returns:
        The functions as they were traced.

    Raises:
        OSError: If the disk can't take it.
    """
    module = tf.Module()
    # The plain variables; the Keras objects around them would need Keras to load.
    module.parameters = [variable.value for variable in network.variables]
    traced = {name: f.get_concrete_function() for name, f in functions.items()}
    place = known_as(folder)
    with disk_errors(folder.parent if place == folder else place):
        tf.saved_model.save(module, str(folder), signatures=traced)
    return traced
