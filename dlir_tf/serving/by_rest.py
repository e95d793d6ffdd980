"""Asking a server by REST: voxels as text, for networks that let nothing else pass."""

import http.client
import json
from typing import Any
from urllib.parse import quote

import numpy as np

from dlir_tf.serving.address import Address
from dlir_tf.serving.connection import Arrays, Signature, VersionState
from dlir_tf.serving.failures import CallError

# The status codes by which TensorFlow Serving's REST says what gRPC's say.
_CODES = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    412: "FAILED_PRECONDITION",
    413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class RestConnection:
    """A connection to one model by TensorFlow Serving's RESTful API."""

    def __init__(self, address: Address, model_name: str, timeout: float) -> None:
        self._address = address
        self._path = f"/v1/models/{quote(model_name, safe='')}"
        self._timeout = timeout

    def states(self) -> list[VersionState]:
        """Asks which versions the server has, and in which state they are."""
        answer = self._call("GET", self._path)
        return [
            VersionState(
                each.get("state", "UNKNOWN"),
                each.get("status", {}).get("error_message", ""),
            )
            for each in _within(answer, "model_version_status")
        ]

    def signatures(self) -> dict[str, Signature]:
        """Asks for the signatures of the model's newest version."""
        answer = self._call("GET", f"{self._path}/metadata")
        found = _within(answer, "metadata", "signature_def", "signature_def")
        return {
            name: Signature(
                {key: _rank(info) for key, info in each.get("inputs", {}).items()},
                frozenset(each.get("outputs", {})),
            )
            for name, each in found.items()
        }

    def predict(self, signature: str, inputs: Arrays) -> Arrays:
        """Calls a signature, in the columnar format."""
        request = {
            "signature_name": signature,
            # Python's floats hold what was float32 exactly, and write it so.
            "inputs": {name: array.tolist() for name, array in inputs.items()},
        }
        body = json.dumps(request, separators=(",", ":")).encode()
        answer = self._call("POST", f"{self._path}:predict", body)
        outputs = _within(answer, "outputs")
        return {name: _as_array(each) for name, each in outputs.items()}

    def _call(self, method: str, path: str, body: bytes | None = None) -> Any:
        host, port = self._address.host, self._address.port
        channel = http.client.HTTPConnection(host, port, timeout=self._timeout)
        headers = {"Content-Type": "application/json"}
        try:
            channel.request(method, path, body, headers)
            response = channel.getresponse()
            status, text = response.status, response.read()
        except TimeoutError as error:
            raise CallError("DEADLINE_EXCEEDED", "timed out") from error
        except http.client.HTTPException as error:
            raise CallError("UNIMPLEMENTED", "it doesn't speak HTTP") from error
        except OSError as error:
            raise CallError("UNAVAILABLE", error.strerror or str(error)) from error
        finally:
            channel.close()
        return _read_answer(status, text)


def _read_answer(status: int, text: bytes) -> Any:
    """Reads the JSON of an answer, which may be an error."""
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        code = "UNIMPLEMENTED" if status < 500 else _CODES.get(status, "INTERNAL")
        raise CallError(code, f"HTTP status {status}, and no JSON")
    if status != http.client.OK or "error" in answer:
        code = _CODES.get(status, "INTERNAL")
        raise CallError(code, str(answer.get("error", f"HTTP status {status}")))
    return answer


def _as_array(nested: Any) -> np.ndarray:
    array = np.array(nested)
    return array if array.dtype.kind == "U" else array.astype(np.float32)


def _within(answer: Any, *keys: str) -> Any:
    for key in keys:
        if key not in answer:
            raise CallError("UNIMPLEMENTED", f"its answer lacks {key}")
        answer = answer[key]
    return answer


def _rank(info: Any) -> int | None:
    shape = info.get("tensor_shape", {})
    return None if shape.get("unknown_rank") else len(shape.get("dim", []))
