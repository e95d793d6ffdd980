"""Loading Keras and its backend without what their C++ parts say meanwhile."""

import os
import sys


def load_keras() -> None:
    """Imports Keras, which loads TensorFlow, with stderr shut.

    Of every start TensorFlow tells that oneDNN is on, and when it first looks for
    GPUs that it found no CUDA driver, whatever its log level is set to; none of it
    is about the user's command, so both happen here.
    Python's own errors still come through as exceptions. Set
    `TF_CPP_MIN_LOG_LEVEL` to 0 or 1 to see all of it.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") in ("0", "1"):
        return
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        import keras

        if keras.backend.backend() == "tensorflow":
            import tensorflow as tf

            tf.config.list_physical_devices("GPU")
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
