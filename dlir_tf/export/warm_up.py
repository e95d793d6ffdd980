"""The requests that TensorFlow Serving sends itself before it says that it's ready.

The first call of a signature takes seconds, so a server makes it before any
patient's. It reads a file of TFRecords, each a `tensorflow.serving.PredictionLog`.
"""

from pathlib import Path

import tensorflow as tf

from dlir_tf.export.fresh_process import Arrays
from dlir_tf.serving.messages import MESSAGES, predict_request

# TensorFlow Serving looks for them here.
WARM_UP_FILE = "assets.extra/tf_serving_warmup_requests"


def write_warm_up(folder: Path, name: str, requests: list[tuple[str, Arrays]]) -> None:
    """Writes requests into a SavedModel.

    Args:
        folder: The SavedModel.
        name: The model's name for the server.
        requests: The signature and the inputs of each.
    """
    path = folder / WARM_UP_FILE
    path.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests:
            logged = {"request": predict_request(name, signature, inputs)}
            log = MESSAGES["PredictionLog"](predict_log=logged)
            writer.write(log.SerializeToString())
