"""Asking a server by gRPC: voxels as the bytes that they are."""

from typing import Any

import grpc
import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.serving.address import Address
from dlir_tf.serving.connection import Arrays, Signature, VersionState
from dlir_tf.serving.failures import CallError
from dlir_tf.serving.messages import DT_FLOAT, DT_STRING, MESSAGES, STATES

# gRPC itself would refuse to receive more than 4 MB.
_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
]
# What a protobuf message can hold, less what isn't voxels.
MAX_BYTES = 2**31 - 2**16

_PREDICTION, _MODEL = (
    f"/tensorflow.serving.{name}" for name in ("PredictionService", "ModelService")
)


class GrpcConnection:
    """A connection to one model by TensorFlow Serving's gRPC services."""

    def __init__(self, address: Address, model_name: str, timeout: float) -> None:
        self._target = address.target
        self._model_name = model_name
        self._timeout = timeout

    def states(self) -> list[VersionState]:
        """Asks which versions the server has, and in which state they are."""
        request = MESSAGES["StatusRequest"](model_spec=self._spec())
        path = f"{_MODEL}/GetModelStatus"
        response = self._call(path, request, MESSAGES["StatusResponse"])
        return [
            VersionState(
                STATES.get(each.state, "UNKNOWN"),
                each.status.error_message if each.status.error_code else "",
            )
            for each in response.model_version_status
        ]

    def signatures(self) -> dict[str, Signature]:
        """Asks for the signatures of the model's newest version."""
        request = MESSAGES["MetadataRequest"](
            model_spec=self._spec(), metadata_field=["signature_def"]
        )
        path = f"{_PREDICTION}/GetModelMetadata"
        response = self._call(path, request, MESSAGES["MetadataResponse"])
        signatures = {}
        for entry in response.metadata:
            if entry.key == "signature_def":
                found = MESSAGES["SignatureMap"].FromString(entry.value.value)
                for each in found.signature_def:
                    signatures[each.key] = _as_signature(each.value)
        return signatures

    def predict(self, signature: str, inputs: Arrays) -> Arrays:
        """Calls a signature.

        Raises:
            InputError: If the inputs are more than a message can hold.
        """
        num_bytes = sum(array.nbytes for array in inputs.values())
        if num_bytes > MAX_BYTES:
            raise InputError(
                f"these images take {num_bytes / 2**30:.1f} GiB as a server wants them "
                "(float32), but a message to it can't hold more than 2; crop them, "
                "resample them to a coarser grid, or register with --model"
            )
        request = MESSAGES["PredictRequest"](model_spec=self._spec(signature))
        for name, array in inputs.items():
            request.inputs.add(key=name, value=as_tensor(array))
        path = f"{_PREDICTION}/Predict"
        response = self._call(path, request, MESSAGES["PredictResponse"])
        return {each.key: as_array(each.value) for each in response.outputs}

    def _spec(self, signature: str = "") -> Any:
        return MESSAGES["ModelSpec"](name=self._model_name, signature_name=signature)

    def _call(self, path: str, request: Any, response: Any) -> Any:
        with grpc.insecure_channel(self._target, options=_OPTIONS) as channel:
            method = channel.unary_unary(
                path,
                request_serializer=type(request).SerializeToString,
                response_deserializer=response.FromString,
            )
            try:
                return method(request, timeout=self._timeout)
            except grpc.RpcError as error:
                raise CallError(error.code().name, error.details() or "") from error


def as_tensor(array: np.ndarray) -> Any:
    """Makes the message of a float32 array."""
    shape = MESSAGES["TensorShape"](dim=[{"size": size} for size in array.shape])
    return MESSAGES["Tensor"](
        dtype=DT_FLOAT,
        tensor_shape=shape,
        tensor_content=array.astype("<f4", copy=False).tobytes(),
    )


def as_array(tensor: Any) -> np.ndarray:
    """Reads the message of a tensor, in any of the forms that there are.

    Returns:
        float32, or texts.

    Raises:
        CallError: If it's of another type, or its values don't fill its shape.
    """
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    size = int(np.prod(shape, dtype=np.int64))
    if tensor.dtype == DT_STRING:
        values = np.array([text.decode() for text in tensor.string_val], np.str_)
    elif tensor.tensor_content:
        values = np.frombuffer(tensor.tensor_content, "<f4")
    else:
        values = np.array(tensor.float_val, np.float32)
    if 0 < len(values) < size and not tensor.tensor_content:
        # Values that repeat to the end are sent once.
        values = np.concatenate([values, np.repeat(values[-1:], size - len(values))])
    if tensor.dtype not in (DT_FLOAT, DT_STRING) or len(values) != size:
        raise CallError(
            "INTERNAL",
            f"an output of type {tensor.dtype} and shape {shape} can't be read",
        )
    return values.reshape(shape)


def _as_signature(message: Any) -> Signature:
    ranks = {
        each.key: None
        if each.value.tensor_shape.unknown_rank
        else len(each.value.tensor_shape.dim)
        for each in message.inputs
    }
    return Signature(ranks, frozenset(each.key for each in message.outputs))
