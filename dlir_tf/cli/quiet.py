"""Loading Keras or a model without what their C++ parts say meanwhile."""

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Union

from dlir_tf.compute.silence import silence

if TYPE_CHECKING:
    from dlir_tf.models.folder import Model
    from dlir_tf.models.litert import LiteRTModel


def load_keras() -> None:
    """Imports Keras, which loads TensorFlow, with oneDNN on and stderr shut.

    On x86 processors without instructions for neural networks, TensorFlow leaves
    oneDNN off by itself, and its own 3-d convolutions train at less than half the
    speed. `TF_ENABLE_ONEDNN_OPTS`, if it's set, has the last word.

    Of every start TensorFlow tells that oneDNN is on, and when it first looks for
    GPUs that it found no CUDA driver, whatever its log level is set to; none of it
    is about the user's command, so both happen here.
    Python's own errors still come through as exceptions. Set
    `TF_CPP_MIN_LOG_LEVEL` to 0 or 1 to see all of it.
    """
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") in ("0", "1"):
        return
    with silence():
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.config.list_physical_devices("GPU")


def silence_warnings() -> None:
    """Keeps TensorFlow's hints to programmers from people who run a command.

    An export traces the same functions again and again, and each time it's told that
    this is slow.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") not in ("0", "1"):
        logging.getLogger("tensorflow").setLevel(logging.ERROR)


def load_quietly(path: Path) -> Union["Model", "LiteRTModel"]:
    """Loads a model; TensorFlow and Keras only if it needs them."""
    from dlir_tf.models.loading import is_litert, load_model

    if is_litert(path):
        with silence():  # LiteRT tells which kernels it has found
            return load_model(path)
    load_keras()
    return load_model(path)
