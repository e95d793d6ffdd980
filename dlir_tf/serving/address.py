"""Where a server is, and how it's spoken to."""

import ipaddress
import re
from dataclasses import dataclass
from typing import Any, Literal, cast

from dlir_tf.errors import InputError

_FORM = re.compile(
    r"(?:(?P<protocol>grpcs?|https?)://)?"
    r"(?P<host>[\w.-]+|\[[0-9A-Fa-f:.%]+\]):(?P<port>\d{1,5})/?"
)


@dataclass(frozen=True)
class Address:
    """Where a server is.

    Attributes:
        protocol: How it's spoken to; those with an `s` are encrypted by TLS.
        host: Name or number.
        port: From 1 to 65535.
    """

    protocol: Literal["grpc", "grpcs", "http", "https"]
    host: str
    port: int

    @property
    def target(self) -> str:
        """`HOST:PORT`, with the brackets that IPv6 needs."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def encrypted(self) -> bool:
        """Whether what is sent there can't be read on the way."""
        return self.protocol in ("grpcs", "https")

    @property
    def loopback(self) -> bool:
        """Whether it's this machine itself, so that nothing is on the way."""
        try:
            return ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:
            return self.host.lower().rstrip(".") == "localhost"

    def __str__(self) -> str:
        return (
            self.target
            if self.protocol == "grpc"
            else f"{self.protocol}://{self.target}"
        )


def parse_address(text: str) -> Address:
    """Reads an address as users give it.

    Args:
        text: `HOST:PORT` or `grpc://HOST:PORT` for gRPC, `http://HOST:PORT` for REST;
            `grpcs://` and `https://` for the same by TLS.

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
            "http://HOST:PORT for REST (http://localhost:8501), by TLS "
            f"grpcs://HOST:PORT or https://HOST:PORT. Received: {text!r}"
        )
    protocol = cast(Any, found["protocol"] or "grpc")
    return Address(protocol, found["host"].strip("[]"), port)
