"""Loading Keras or a model, and hiding what their C++ parts print meanwhile."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Union

from dlir_tf.compute.settings import check_backend
from dlir_tf.compute.silence import silence

if TYPE_CHECKING:
    from dlir_tf.models.folder import Model
    from dlir_tf.models.general import GeneralModel
    from dlir_tf.models.litert import LiteRTModel


def load_keras() -> None:
    """Imports Keras and TensorFlow, and hides what they print meanwhile.

    TensorFlow prints some lines at every start, whatever its log level is: that oneDNN
    is on, and, as soon as it looks for GPUs, that it found no CUDA driver. None of
    them is about the user's command. So this function imports Keras and looks for
    GPUs while stderr is shut. Errors that Python raises come through all the same.
    If `TF_CPP_MIN_LOG_LEVEL` is 0 or 1, nothing is hidden, and nothing imported here.

    It switches oneDNN on as well. TensorFlow leaves it off on x86 processors without
    instructions for neural networks, where its own 3-d convolutions train at less
    than half the speed. `TF_ENABLE_ONEDNN_OPTS`, if it is set, decides instead.

    Raises:
        InputError: If `KERAS_BACKEND` names a backend that doesn't do.
    """
    check_backend()
    # The user's keras.json is there for other programs: ours has its own settings.
    os.environ["KERAS_HOME"] = os.path.join(os.devnull, "keras")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") in ("0", "1"):
        return
    with silence():
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.config.list_physical_devices("GPU")


def load_quietly(path: str | Path) -> Union["Model", "LiteRTModel", "GeneralModel"]:
    """Loads a model; imports TensorFlow and Keras only if the model needs them."""
    from dlir_tf.models.loading import is_litert, load_model

    if is_litert(path):
        with silence():  # LiteRT tells which kernels it has found
            return load_model(path)
    load_keras()
    return load_model(path)
