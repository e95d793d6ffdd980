"""One request by HTTP and its answer, within limits of time and size."""

import http.client
import socket
import ssl
import threading
import time
from contextlib import suppress

from dlir_tf.serving.address import Address
from dlir_tf.serving.failures import UNTRUSTED, AnswerError, CallError
from dlir_tf.serving.security import Security


def exchange(
    address: Address,
    method: str,
    path: str,
    body: bytes | None,
    *,
    security: Security,
    timeout: float,
    limit: int,
) -> tuple[int, bytes]:
    """Sends a request and reads its answer.

    Args:
        address: Of the server.
        method: `GET` or `POST`.
        path: Of the resource.
        body: JSON, if there is something to send.
        security: Whom to trust, and who asks.
        timeout: Seconds for all of it.
        limit: The most bytes that the answer may have.

    Returns:
        Its status and its text.

    Raises:
        CallError: If there is no such answer in time.
    """
    headers = {"Content-Type": "application/json", **security.headers()}
    channel = _connection(address, security, timeout)
    watch = _Watch(timeout)
    try:
        channel.connect()
        watch.start(channel.sock)
        channel.request(method, path, body, headers)
        response = channel.getresponse()
        text = _read(response, limit)
    except (OSError, http.client.HTTPException, CallError) as error:
        if watch.ended or isinstance(error, TimeoutError):
            raise CallError("DEADLINE_EXCEEDED", "timed out") from error
        raise _as_call_error(error) from error
    finally:
        watch.stop()
        channel.close()
    if watch.ended:
        raise CallError("DEADLINE_EXCEEDED", "timed out")
    return response.status, text


def _connection(
    address: Address, security: Security, timeout: float
) -> http.client.HTTPConnection:
    host, port = address.host, address.port
    if address.encrypted:
        context = security.context()
        return http.client.HTTPSConnection(host, port, timeout=timeout, context=context)
    return http.client.HTTPConnection(host, port, timeout=timeout)


class _Watch:
    """Ends a conversation when its time is over, however often a byte still comes.

    A socket's own timeout begins anew with each byte.

    Attributes:
        ended: Whether it had to.
    """

    def __init__(self, seconds: float) -> None:
        self.ended = False
        self._end = time.monotonic() + seconds
        self._timer: threading.Timer | None = None

    def start(self, channel: socket.socket) -> None:
        """Watches over a socket from now on."""
        left = max(self._end - time.monotonic(), 0)
        self._timer = threading.Timer(left, self._stop_talking, [channel])
        self._timer.daemon = True
        self._timer.start()

    def stop(self) -> None:
        """Leaves the socket alone."""
        if self._timer is not None:
            self._timer.cancel()

    def _stop_talking(self, channel: socket.socket) -> None:
        self.ended = True
        with suppress(OSError):
            channel.shutdown(socket.SHUT_RDWR)


def _read(response: http.client.HTTPResponse, limit: int) -> bytes:
    """Reads an answer that isn't longer than it may be, to its end."""
    text = b"" if (response.length or 0) > limit else response.read(limit + 1)
    if len(text) > limit or (response.length or 0) > limit:
        raise AnswerError("it's longer than an answer to this request can be")
    if response.length:
        raise AnswerError("it breaks off before its end")
    return text


def _as_call_error(error: Exception) -> CallError:
    if isinstance(error, CallError):
        return error
    if isinstance(error, http.client.IncompleteRead):
        return AnswerError("it breaks off before its end")
    if isinstance(error, http.client.HTTPException):
        return CallError("UNIMPLEMENTED", "it doesn't speak HTTP")
    if isinstance(error, ssl.SSLCertVerificationError):
        return CallError(UNTRUSTED, error.verify_message)
    if isinstance(error, ssl.SSLError):
        return CallError("UNIMPLEMENTED", "it doesn't speak TLS as it should")
    return CallError("UNAVAILABLE", getattr(error, "strerror", "") or str(error))
