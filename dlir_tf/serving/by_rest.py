"""Asking a server by REST: voxels as text, for networks that let nothing else pass."""

import json
from typing import Any
from urllib.parse import quote

from dlir_tf.compute.memory import free_memory
from dlir_tf.errors import InputError
from dlir_tf.serving.address import Address
from dlir_tf.serving.connection import (
    MAX_DESCRIPTION,
    Arrays,
    Signature,
    VersionState,
    most_bytes,
)
from dlir_tf.serving.http_exchange import exchange
from dlir_tf.serving.json_answers import (
    as_array,
    as_signature,
    as_state,
    read_answer,
    within,
)
from dlir_tf.serving.security import Security

# Written out, a float32 takes up to 6 times its bytes; parsed, that and more.
_TEXT_OF_NUMBERS = 6
_MAX_TEXT = 2**26
# A number in Python's lists, and its text twice.
_BYTES_PER_NUMBER = 64


class RestConnection:
    """A connection to one model by TensorFlow Serving's RESTful API."""

    def __init__(
        self,
        address: Address,
        model_name: str,
        timeout: float,
        security: Security = Security(),  # noqa: B008, it's frozen
    ) -> None:
        self._address = address
        self._security = security
        self._path = f"/v1/models/{quote(model_name, safe='')}"
        self._timeout = timeout

    def states(self) -> list[VersionState]:
        """Asks which versions the server has, and in which state they are."""
        answer = self._call("GET", self._path)
        found = within(answer, "model_version_status", kind=list)
        return [as_state(each) for each in found]

    def signatures(self) -> dict[str, Signature]:
        """Asks for the signatures of the model's newest version."""
        answer = self._call("GET", f"{self._path}/metadata")
        found = within(answer, "metadata", "signature_def", "signature_def")
        return {name: as_signature(each) for name, each in found.items()}

    def predict(self, signature: str, inputs: Arrays) -> Arrays:
        """Calls a signature, in the columnar format.

        Raises:
            InputError: If the text of the inputs is more than memory can hold.
        """
        _check_room(inputs)
        request = {
            "signature_name": signature,
            # Python's floats hold what was float32 exactly, and write it so.
            "inputs": {name: array.tolist() for name, array in inputs.items()},
        }
        body = json.dumps(request, separators=(",", ":")).encode()
        limit = min(_TEXT_OF_NUMBERS * most_bytes(inputs), _MAX_TEXT)
        answer = self._call("POST", f"{self._path}:predict", body, limit)
        outputs = within(answer, "outputs")
        return {name: as_array(name, each) for name, each in outputs.items()}

    def _call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        limit: int = MAX_DESCRIPTION,
    ) -> Any:
        status, text = exchange(
            self._address,
            method,
            path,
            body,
            security=self._security,
            timeout=self._timeout,
            limit=limit,
        )
        return read_answer(status, text)


def _check_room(inputs: Arrays) -> None:
    numbers = sum(array.size for array in inputs.values())
    takes, free = _BYTES_PER_NUMBER * numbers, free_memory()
    if free is not None and takes > free:
        raise InputError(
            f"these images have {numbers} voxels, which take {takes / 1e9:.3g} GB as "
            f"the text that REST wants, of which {free / 1e9:.3g} are free; ask by "
            "gRPC (--server HOST:8500), or register with --model"
        )
