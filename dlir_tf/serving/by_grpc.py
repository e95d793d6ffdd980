"""Asking a server by gRPC: voxels as the bytes that they are."""

import math
from typing import Any

import grpc
import numpy as np
from google.protobuf.message import DecodeError

from dlir_tf.errors import InputError
from dlir_tf.serving.address import Address
from dlir_tf.serving.connection import (
    MAX_ANSWER,
    MAX_AXES,
    MAX_DESCRIPTION,
    Arrays,
    Signature,
    VersionState,
    most_bytes,
)
from dlir_tf.serving.failures import UNTRUSTED, AnswerError, CallError
from dlir_tf.serving.messages import (
    DT_FLOAT,
    DT_STRING,
    MESSAGES,
    STATES,
    predict_request,
)
from dlir_tf.serving.security import Security

# gRPC holds the limit on answers against what comes, so what comes mustn't be
# compressed: a megabyte can unpack to a thousand.
_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.compression_enabled_algorithms_bitset", 1),
]
# What a protobuf message can hold, less what isn't voxels.
MAX_BYTES = 2**31 - 2**16

# What gRPC says of certificates, among much else.
_UNTRUSTED = {
    "CERTIFICATE_VERIFY_FAILED": "certificate verify failed",
    "is not in peer certificate": "the certificate is of another host",
    "Hostname Verification Check failed": "the certificate is of another host",
}

_PREDICTION, _MODEL = (
    f"/tensorflow.serving.{name}" for name in ("PredictionService", "ModelService")
)


class GrpcConnection:
    """A connection to one model by TensorFlow Serving's gRPC services."""

    def __init__(
        self,
        address: Address,
        model_name: str,
        timeout: float,
        security: Security = Security(),  # noqa: B008, it's frozen
    ) -> None:
        self._address = address
        self._security = security
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
                found = _parse(MESSAGES["SignatureMap"], entry.value.value)
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
        request = predict_request(self._model_name, signature, inputs)
        path = f"{_PREDICTION}/Predict"
        response = self._call(
            path, request, MESSAGES["PredictResponse"], most_bytes(inputs)
        )
        return {each.key: as_array(each.value) for each in response.outputs}

    def _spec(self) -> Any:
        return MESSAGES["ModelSpec"](name=self._model_name)

    def _call(
        self, path: str, request: Any, response: Any, limit: int = MAX_DESCRIPTION
    ) -> Any:
        metadata = tuple(self._security.headers().items())
        with self._channel(limit) as channel:
            # gRPC would log a traceback of an answer that it can't parse.
            method = channel.unary_unary(
                path, request_serializer=type(request).SerializeToString
            )
            try:
                answer = method(request, timeout=self._timeout, metadata=metadata)
            except grpc.RpcError as error:
                raise _as_call_error(error) from error
        return _parse(response, answer)

    def _channel(self, limit: int) -> grpc.Channel:
        options = [*_OPTIONS, ("grpc.max_receive_message_length", limit)]
        if self._address.loopback:
            # What is meant for this machine stays here, whatever `http_proxy` says.
            options.append(("grpc.enable_http_proxy", 0))
        target = self._address.target
        if not self._address.encrypted:
            return grpc.insecure_channel(target, options=options)
        credentials = grpc.ssl_channel_credentials(self._security.roots())
        return grpc.secure_channel(target, credentials, options=options)


def _as_call_error(error: grpc.RpcError) -> CallError:
    details = error.details() or ""
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and "CLIENT:" in details:
        return AnswerError("it's longer than an answer to this request can be")
    untrusted = next((why for why in _UNTRUSTED if why in details), None)
    if untrusted is not None:
        return CallError(UNTRUSTED, _UNTRUSTED[untrusted])
    if "SSL_ERROR_SSL" in details:
        return CallError("UNIMPLEMENTED", "it doesn't speak TLS as it should")
    return CallError(error.code().name, details)


def _parse(message: Any, answer: bytes) -> Any:
    try:
        return message.FromString(answer)
    except DecodeError as error:
        raise AnswerError("it's garbled") from error


def as_array(tensor: Any) -> np.ndarray:
    """Reads the message of a tensor, in any of the forms that there are.

    Returns:
        float32, or texts.

    Raises:
        AnswerError: If it's of another type, or its values don't fill its shape.
    """
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    size = math.prod(shape)
    sensible = len(shape) <= MAX_AXES and min(shape, default=0) >= 0
    if sensible and 4 * size <= MAX_ANSWER:
        values = _values(tensor, size)
        if values is not None and len(values) == size:
            return values.reshape(shape)
    raise AnswerError(
        f"an output of type {tensor.dtype} and shape {shape} can't be read"
    )


def _values(tensor: Any, size: int) -> np.ndarray | None:
    if tensor.dtype == DT_STRING:
        return _texts(tensor.string_val)
    if tensor.dtype != DT_FLOAT or len(tensor.tensor_content) % 4:
        return None
    if tensor.tensor_content:
        return np.frombuffer(tensor.tensor_content, "<f4")
    values = np.array(tensor.float_val, np.float32)
    if 0 < len(values) < size:
        # Values that repeat to the end are sent once.
        values = np.concatenate([values, np.repeat(values[-1:], size - len(values))])
    return values


def _texts(encoded: Any) -> np.ndarray:
    """Texts, each with room of its own: NumPy's would all get that of the longest."""
    values = np.empty(len(encoded), object)
    try:
        values[:] = [text.decode() for text in encoded]
    except UnicodeDecodeError as error:
        raise AnswerError("a text in it isn't UTF-8") from error
    return values


def _as_signature(message: Any) -> Signature:
    ranks = {
        each.key: None
        if each.value.tensor_shape.unknown_rank
        else len(each.value.tensor_shape.dim)
        for each in message.inputs
    }
    return Signature(ranks, frozenset(each.key for each in message.outputs))
