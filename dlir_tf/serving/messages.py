"""The messages of TensorFlow Serving's gRPC, as far as they are needed.

The package `tensorflow-serving-api` has all of them, but importing it imports
TensorFlow, which takes longer than a registration. What goes over the wire is numbers
of fields, so the few that are needed here are declared again; a test compares them
with that package's.
"""

from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

# The type of each field and its number; `*` marks a field that repeats. Enumerations
# are numbers on the wire. A map is a list of entries.
_FIELDS = {
    "Version": {"value": ("int64", 1)},
    "ModelSpec": {
        "name": ("string", 1),
        "version": ("Version", 2),
        "signature_name": ("string", 3),
    },
    "Dim": {"size": ("int64", 1)},
    "TensorShape": {"dim": ("Dim*", 2), "unknown_rank": ("bool", 3)},
    "Tensor": {
        "dtype": ("int32", 1),
        "tensor_shape": ("TensorShape", 2),
        "tensor_content": ("bytes", 4),
        "float_val": ("float*", 5),
        "string_val": ("bytes*", 8),
    },
    "NamedTensor": {"key": ("string", 1), "value": ("Tensor", 2)},
    "PredictRequest": {
        "model_spec": ("ModelSpec", 1),
        "inputs": ("NamedTensor*", 2),
        "output_filter": ("string*", 3),
    },
    "PredictLog": {"request": ("PredictRequest", 1)},
    "PredictionLog": {"predict_log": ("PredictLog", 6)},
    "PredictResponse": {"outputs": ("NamedTensor*", 1), "model_spec": ("ModelSpec", 2)},
    "TensorInfo": {"dtype": ("int32", 2), "tensor_shape": ("TensorShape", 3)},
    "NamedInfo": {"key": ("string", 1), "value": ("TensorInfo", 2)},
    "Signature": {"inputs": ("NamedInfo*", 1), "outputs": ("NamedInfo*", 2)},
    "NamedSignature": {"key": ("string", 1), "value": ("Signature", 2)},
    "SignatureMap": {"signature_def": ("NamedSignature*", 1)},
    "Any": {"type_url": ("string", 1), "value": ("bytes", 2)},
    "NamedAny": {"key": ("string", 1), "value": ("Any", 2)},
    "MetadataRequest": {
        "model_spec": ("ModelSpec", 1),
        "metadata_field": ("string*", 2),
    },
    "MetadataResponse": {"model_spec": ("ModelSpec", 1), "metadata": ("NamedAny*", 2)},
    "StatusRequest": {"model_spec": ("ModelSpec", 1)},
    "Status": {"error_code": ("int32", 1), "error_message": ("string", 2)},
    "VersionStatus": {
        "version": ("int64", 1),
        "state": ("int32", 2),
        "status": ("Status", 3),
    },
    "StatusResponse": {"model_version_status": ("VersionStatus*", 1)},
}

# `tensorflow.DataType`.
DT_FLOAT = 1
DT_INT32 = 3
DT_STRING = 7

# `ModelVersionStatus.State`, named as in TensorFlow Serving's REST.
STATES = {
    0: "UNKNOWN",
    10: "START",
    20: "LOADING",
    30: "AVAILABLE",
    40: "UNLOADING",
    50: "END",
}


def _declare() -> dict[str, Any]:
    """Makes the classes, in a pool of their own beside whatever else is loaded."""
    field_proto = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name="dlir_tf/serving.proto", package="dlir_tf.serving", syntax="proto3"
    )
    for message, fields in _FIELDS.items():
        declared = file.message_type.add(name=message)
        for name, (kind, number) in fields.items():
            single = kind.rstrip("*")
            field = declared.field.add(name=name, number=number)
            field.label = (
                field_proto.LABEL_OPTIONAL
                if single == kind
                else field_proto.LABEL_REPEATED
            )
            if single in _FIELDS:
                field.type = field_proto.TYPE_MESSAGE
                field.type_name = f".dlir_tf.serving.{single}"
            else:
                field.type = field_proto.Type.Value(f"TYPE_{single.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"dlir_tf.serving.{name}")
        )
        for name in _FIELDS
    }


MESSAGES = _declare()


def predict_request(name: str, signature: str, inputs: dict[str, np.ndarray]) -> Any:
    """Makes the request that calls a signature of a model.

    Args:
        name: The model's name for the server.
        signature: Its name.
        inputs: By name, float32 or int32.
    """
    spec = MESSAGES["ModelSpec"](name=name, signature_name=signature)
    request = MESSAGES["PredictRequest"](model_spec=spec)
    for key, array in inputs.items():
        request.inputs.add(key=key, value=as_tensor(array))
    return request


def as_tensor(array: np.ndarray) -> Any:
    """Makes the message of an array: integers as int32, all else as float32."""
    integers = array.dtype.kind in "iu"
    shape = MESSAGES["TensorShape"](dim=[{"size": size} for size in array.shape])
    return MESSAGES["Tensor"](
        dtype=DT_INT32 if integers else DT_FLOAT,
        tensor_shape=shape,
        tensor_content=array.astype("<i4" if integers else "<f4", copy=False).tobytes(),
    )
