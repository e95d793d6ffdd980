"""Where a server is, and how it's spoken to."""

import re
from dataclasses import dataclass
from typing import Literal

from dlir_tf.errors import InputError

_FORM = re.compile(
    r"(?:(?P<protocol>grpc|http)://)?"
    r"(?P<host>[\w.-]+|\[[0-9A-Fa-f:.%]+\]):(?P<port>\d{1,5})/?"
)


@dataclass(frozen=True)
class Address:
    """Where a server is.

    Attributes:
        protocol: How it's spoken to.
        host: Name or number.
        port: From 1 to 65535.
    """

    protocol: Literal["grpc", "http"]
    host: str
    port: int

    @property
    def target(self) -> str:
        """`HOST:PORT`, with the brackets that IPv6 needs."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"http://{self.target}" if self.protocol == "http" else self.target


def parse_address(text: str) -> Address:
    """Reads an address as users give it.

    Args:
        text: `HOST:PORT` or `grpc://HOST:PORT` for gRPC, `http://HOST:PORT` for REST.

    Raises:
        InputError: If it's something else.

    Example:

    >>> parse_address("localhost:8500")
    Address(protocol='grpc', host='localhost', port=8500)
    >>> str(parse_address("http://[::1]:8501/"))
    'http://[::1]:8501'
    """
    found = _FORM.fullmatch(text)
    port = int(found["port"]) if found else 0
    if found is None or not 0 < port < 2**16:
        raise InputError(
            "--server: must be HOST:PORT for gRPC (localhost:8500, say) or "
            f"http://HOST:PORT for REST (http://localhost:8501). Received: {text!r}"
        )
    host = found["host"].strip("[]")
    return Address("http" if found["protocol"] == "http" else "grpc", host, port)
