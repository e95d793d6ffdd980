"""A model on a server: what it takes, and what it finds for a pair."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np

from dlir_tf.config import CONTROL_POINTS
from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.serving.address import Address, parse_address
from dlir_tf.serving.checks import of_one_pair
from dlir_tf.serving.connection import Arrays, Connection, Signature
from dlir_tf.serving.failures import CallError, ServerError, explain, printable
from dlir_tf.serving.security import Security

DEFAULT_MODEL_NAME = "dlir"
DEFAULT_TIMEOUT = 120.0

_SIGNATURE = "parameters"
_INPUTS = {"fixed", "moving", "fixed_affine", "moving_affine"}
_OUTPUTS = {"affine", "grid_affine", "model_json"}
_Result = TypeVar("_Result")
# Three years; what system calls take is finite.
_LONGEST_WAIT = 1e8


@dataclass(frozen=True)
class Server:
    """A model that TensorFlow Serving serves, exported by `dlir-tf export`.

    Attributes:
        address: `HOST:PORT` for gRPC, `http://HOST:PORT` for REST; by TLS
            `grpcs://HOST:PORT` and `https://HOST:PORT`.
        model_name: The model's name on the server.
        timeout: Seconds that each answer is waited for.
        ca_file: Certificates, PEM, of whoever may have signed the server's, for TLS;
            by default those that the system trusts.
        token_file: A text file with a token that says who asks, sent in the header
            `Authorization: Bearer`.
        insecure: Whether images may be sent to another machine as plain text.

    Raises:
        InputError: If the address isn't one, the timeout isn't above 0, a file can't be
            used, or images would be sent to another machine as plain text unasked.
    """

    address: str
    model_name: str = DEFAULT_MODEL_NAME
    timeout: float = DEFAULT_TIMEOUT
    ca_file: Path | None = None
    token_file: Path | None = None
    insecure: bool = False

    def __post_init__(self) -> None:
        """Checks what can be checked without a server."""
        self._security.check(self._address)
        if not 0 < self.timeout < float("inf"):
            raise InputError(f"--timeout: must be above 0 s. Received: {self.timeout}")

    def absolute(self) -> "Server":
        """The same for a process in another folder."""
        ca_file, token_file = (
            None if file is None else Path(file).absolute()
            for file in (self.ca_file, self.token_file)
        )
        return replace(self, ca_file=ca_file, token_file=token_file)

    @cached_property
    def _address(self) -> Address:
        return parse_address(self.address)

    @cached_property
    def _security(self) -> Security:
        ca_file, token_file = (
            None if file is None else Path(file)
            for file in (self.ca_file, self.token_file)
        )
        return Security(ca_file, token_file, self.insecure)

    @cached_property
    def _connection(self) -> Connection:
        timeout = min(self.timeout, _LONGEST_WAIT)
        return connect(self._address, self.model_name, timeout, self._security)

    @cached_property
    def ndim(self) -> int:
        """Rank of the images that the model takes, 2 or 3.

        Raises:
            ServerError: If the server can't be asked, or the model isn't of dlir-tf.
        """
        return self._described[0]

    def deforms(self) -> bool:
        """Asks whether the model has stages that deform.

        Raises:
            ServerError: If the server can't be asked, or the model isn't of dlir-tf.
        """
        return any(name.startswith(CONTROL_POINTS) for name in self._described[1])

    @cached_property
    def _described(self) -> tuple[int, frozenset[str]]:
        """The rank of its images, and what it gives for a pair."""
        signature = self._call(self._connection.signatures).get(_SIGNATURE)
        rank = signature.inputs.get("fixed") if signature else None
        if signature is None or not _is_ours(signature) or rank not in (3, 4):
            raise ServerError(
                f"{self._address}: the model {self.model_name!r} doesn't have the "
                f"signature {_SIGNATURE!r} of dlir-tf; it's another model, or was "
                "exported by an older version: export it again, or choose another by "
                "--model-name"
            )
        return rank - 1, signature.outputs

    def ask(self, fixed: Image, moving: Image) -> Arrays:
        """Asks for the parameters of the transform of a pair.

        Args:
            fixed: Of the rank that the model takes; any grid.
            moving: Likewise.

        Returns:
            The outputs of the signature `parameters`, without the batch.

        Raises:
            InputError: If an image isn't of that rank or the model refuses it.
            ServerError: If the server can't be asked.
        """
        for name, image in (("fixed", fixed), ("moving", moving)):
            if image.ndim != self.ndim:
                raise InputError(
                    f"the {name} image is {image.ndim}-d, of shape {image.shape}, but "
                    f"the model {self.model_name!r} on the server registers "
                    f"{self.ndim}-d images; choose a {image.ndim}-d one by --model-name"
                )
        inputs = {
            "fixed": as_float32(fixed.array, "fixed"),
            "moving": as_float32(moving.array, "moving"),
            "fixed_affine": fixed.affine.astype(np.float32),
            "moving_affine": moving.affine.astype(np.float32),
        }
        batch = {name: array[None] for name, array in inputs.items()}
        return self._call(
            lambda: of_one_pair(self._connection.predict(_SIGNATURE, batch))
        )

    def __str__(self) -> str:
        return f"{self._address}, model {self.model_name!r}"

    def _call(self, call: Callable[[], _Result]) -> _Result:
        try:
            return call()
        except CallError as error:
            told = explain(error, self._address, self.model_name, self.timeout)
            if error.code == "NOT_FOUND":
                told = self._why_missing() or told
            raise told from error

    def _why_missing(self) -> ServerError | None:
        """A model that isn't ready isn't found either."""
        try:
            states = self._connection.states()
        except CallError:
            return None
        whose = f"{self._address}: the model {self.model_name!r}"
        if any(each.state in ("START", "LOADING", "UNKNOWN") for each in states):
            return ServerError(
                f"{whose} isn't ready, it's being loaded; ask again soon"
            )
        for each in states:
            if each.message:
                says = printable(each.message)
                return ServerError(f"{whose} couldn't be loaded there: {says}")
        return ServerError(f"{whose} is no longer served") if states else None


def as_float32(array: np.ndarray, name: str) -> np.ndarray:
    """Returns voxels as the server takes them.

    Raises:
        InputError: If they have values beyond what float32 can hold.
    """
    with np.errstate(over="ignore"):
        voxels = array.astype(np.float32)
    if np.isinf(voxels).any() and not np.isinf(array).any():
        raise InputError(
            f"the {name} image has values up to {np.abs(array).max():.3g}, more than "
            "the float32 that a server takes can hold; scale its intensities"
        )
    return voxels


def _is_ours(signature: Signature) -> bool:
    return set(signature.inputs) == _INPUTS and signature.outputs >= _OUTPUTS


def connect(
    address: Address,
    model_name: str,
    timeout: float,
    security: Security = Security(),  # noqa: B008, it's frozen
) -> Connection:
    """Prepares a connection; nothing is sent before the first call.

    Args:
        address: Of the server.
        model_name: Of the model.
        timeout: Of each call, in seconds.
        security: Whom to trust, and who asks.
    """
    if address.protocol in ("http", "https"):
        from dlir_tf.serving.by_rest import RestConnection

        return RestConnection(address, model_name, timeout, security)
    from dlir_tf.serving.by_grpc import GrpcConnection

    return GrpcConnection(address, model_name, timeout, security)
