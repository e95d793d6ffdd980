"""Requests to warm up with must be what TensorFlow Serving reads."""

import numpy as np
import pytest
import tensorflow as tf

from dlir_tf.export.warm_up import WARM_UP_FILE, write_warm_up


def test_requests_are_read_by_the_servers_own_classes(tmp_path):
    apis = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    inputs = {
        "fixed": np.arange(300, dtype=np.float32).reshape(1, 10, 30),
        "moving_labels": np.array([[3, -4]], np.int32),
    }
    write_warm_up(tmp_path, "dlir-é", [("serving_default", inputs), ("quality", {})])
    records = list(tf.data.TFRecordDataset(str(tmp_path / WARM_UP_FILE)))
    logs = [apis.PredictionLog.FromString(record.numpy()) for record in records]
    assert [log.WhichOneof("log_type") for log in logs] == ["predict_log"] * 2
    first, second = (log.predict_log.request for log in logs)
    assert first.model_spec.name == "dlir-é"
    assert first.model_spec.signature_name == "serving_default"
    assert second.model_spec.signature_name == "quality"
    assert set(first.inputs) == set(inputs)
    for name, array in inputs.items():
        received = tf.make_ndarray(first.inputs[name])
        assert received.dtype == array.dtype
        np.testing.assert_array_equal(received, array)
