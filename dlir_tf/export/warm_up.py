"""The requests that TensorFlow Serving sends itself before it says that it's ready.

The first call of a signature takes seconds, so a server makes it before any
patient's. It reads a file of TFRecords, each a `tensorflow.serving.PredictionLog`.
That message is written by hand: tensorflow-serving-api, which defines it, is for those
who call servers.
"""

from pathlib import Path

import numpy as np
import tensorflow as tf

Arrays = dict[str, np.ndarray]

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
            writer.write(prediction_log(name, signature, inputs))


def prediction_log(name: str, signature: str, inputs: Arrays) -> bytes:
    """A serialized `PredictionLog` that holds one `PredictRequest`."""
    # PredictRequest: model_spec = 1 (name = 1, signature_name = 3), inputs = 2, a map.
    request = _field(1, _field(1, name.encode()) + _field(3, signature.encode()))
    for key, array in inputs.items():
        tensor = tf.make_tensor_proto(array).SerializeToString()
        request += _field(2, _field(1, key.encode()) + _field(2, tensor))
    # PredictionLog: predict_log = 6; PredictLog: request = 1.
    return _field(6, _field(1, request))


def _field(number: int, value: bytes) -> bytes:
    """A field of a protobuf message that has a length: a text, bytes or a message."""
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; all bytes but the last have bit 8 set."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
