"""The messages of gRPC against those of the package tensorflow-serving-api."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    predict_pb2,
    prediction_log_pb2,
    status_pb2,
)

from dlir_tf.serving.by_grpc import as_array
from dlir_tf.serving.failures import CallError
from dlir_tf.serving.messages import MESSAGES, STATES, as_tensor

STATUS = get_model_status_pb2.ModelVersionStatus
OFFICIAL = {
    "PredictRequest": predict_pb2.PredictRequest.DESCRIPTOR,
    "PredictionLog": prediction_log_pb2.PredictionLog.DESCRIPTOR,
    "PredictResponse": predict_pb2.PredictResponse.DESCRIPTOR,
    "MetadataRequest": get_model_metadata_pb2.GetModelMetadataRequest.DESCRIPTOR,
    "MetadataResponse": get_model_metadata_pb2.GetModelMetadataResponse.DESCRIPTOR,
    "SignatureMap": get_model_metadata_pb2.SignatureDefMap.DESCRIPTOR,
    "StatusRequest": get_model_status_pb2.GetModelStatusRequest.DESCRIPTOR,
    "StatusResponse": get_model_status_pb2.GetModelStatusResponse.DESCRIPTOR,
}


def check_fields(ours, official, seen):
    """Compares number, type and repetition of each field, and what it contains."""
    seen.add(ours.name)
    for field in ours.fields:
        other = official.fields_by_name[field.name]
        assert field.number == other.number, field.full_name
        assert field.is_repeated == other.is_repeated, field.full_name
        enumeration = other.type == other.TYPE_ENUM
        assert field.type == (field.TYPE_INT32 if enumeration else other.type)
        if field.message_type is not None:
            check_fields(field.message_type, other.message_type, seen)


def test_every_field_is_declared_as_the_official_package_has_it():
    seen = set()
    for name, official in OFFICIAL.items():
        check_fields(MESSAGES[name].DESCRIPTOR, official, seen)
    assert seen == set(MESSAGES), "every message is reached from those that are sent"
    assert model_pb2.ModelSpec.DESCRIPTOR.fields_by_name["version"].number == 2
    assert status_pb2.StatusProto.DESCRIPTOR.fields_by_name["error_code"].number == 1
    assert meta_graph_pb2.SignatureDef.DESCRIPTOR.fields_by_name["outputs"].number == 2


def test_the_states_are_named_as_the_official_package_names_them():
    assert {number: name for name, number in STATUS.State.items()} == STATES


def test_a_tensor_arrives_as_it_was_sent(rng):
    sent = rng.normal(size=(2, 3, 1)).astype(np.float32)
    request = MESSAGES["PredictRequest"]()
    request.model_spec.name, request.model_spec.signature_name = "dlir", "parameters"
    request.inputs.add(key="fixed", value=as_tensor(sent))
    received = predict_pb2.PredictRequest.FromString(request.SerializeToString())
    assert received.model_spec.name == "dlir"
    assert received.model_spec.signature_name == "parameters"
    np.testing.assert_array_equal(tf.make_ndarray(received.inputs["fixed"]), sent)


@pytest.mark.parametrize("form", ["bytes", "numbers", "repeated"])
def test_a_tensor_is_read_in_every_form_that_a_server_may_choose(form, rng):
    array = rng.normal(size=(3, 1, 2)).astype(np.float32)
    official = predict_pb2.PredictResponse()
    tensor = official.outputs["affine"]
    tensor.CopyFrom(tf.make_tensor_proto(array))
    if form != "bytes":
        tensor.ClearField("tensor_content")
        array[1:] = array[1, 0, 0] if form == "repeated" else array[1:]
        values = array.ravel().tolist()
        tensor.float_val.extend(values[:3] if form == "repeated" else values)
    response = MESSAGES["PredictResponse"].FromString(official.SerializeToString())
    (entry,) = response.outputs
    assert entry.key == "affine"
    np.testing.assert_array_equal(as_array(entry.value), array)


@pytest.mark.parametrize("dtype", [np.float64, np.int32])
def test_a_tensor_of_another_type_is_refused(dtype):
    official = tf.make_tensor_proto(np.ones(3, dtype)).SerializeToString()
    with pytest.raises(CallError, match=r"shape \(3,\) can't be read"):
        as_array(MESSAGES["Tensor"].FromString(official))


def test_a_tensor_with_numbers_missing_is_refused():
    tensor = as_tensor(np.ones((2, 2), np.float32))
    tensor.tensor_content = tensor.tensor_content[:-4]
    with pytest.raises(CallError, match="can't be read"):
        as_array(tensor)
