"""Who can read what goes to a server, and how the server knows who asks."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.files.plain import what_is_wrong
from dlir_tf.serving.address import Address

_LONGEST_TOKEN = 8192
_LARGEST_FILE = 10_000_000  # all authorities that a system trusts are a tenth of it


@dataclass(frozen=True)
class Security:
    """How a conversation with a server is kept from others.

    Attributes:
        ca_file: Certificates, PEM, of whoever may have signed the server's; `None` for
            those that the system trusts.
        token_file: A text file with a token that says who asks.
        insecure: Whether images may cross a network as plain text.
    """

    ca_file: Path | None = None
    token_file: Path | None = None
    insecure: bool = False

    def check(self, address: Address) -> None:
        """Refuses what doesn't go together, or can't be read, before anything is sent.

        Raises:
            InputError: If it does, or if images would leave this machine as plain text
                and nobody asked for that.
        """
        if self.ca_file is not None and not address.encrypted:
            raise InputError(
                "--ca-file: is for a server that is spoken to by TLS, grpcs:// or "
                f"https://. Received: --server {address}"
            )
        if not (address.encrypted or address.loopback or self.insecure):
            raise InputError(
                f"--server: {address} is another machine, and images would go there "
                "as plain text that others can read; choose grpcs:// or https://, a "
                "tunnel (docs/serving.md), or say --insecure (insecure=True) where the "
                "network is your own"
            )
        self.headers()
        if address.encrypted:
            self.context()

    def headers(self) -> dict[str, str]:
        """What a request says of who asks, by lower-case name.

        Raises:
            InputError: If the file of the token can't be read, or holds no token.
        """
        if self.token_file is None:
            return {}
        text = _read(self.token_file, "--token-file").strip()
        fits = text.isascii() and text.isprintable() and b" " not in text.encode()
        if not fits or not 0 < len(text) <= _LONGEST_TOKEN:
            raise InputError(
                f"--token-file: {self.token_file} must hold one token, of letters, "
                "digits and signs without spaces"
            )
        return {"authorization": f"Bearer {text}"}

    def context(self) -> ssl.SSLContext:
        """What TLS of Python's own needs to know.

        Raises:
            InputError: If the certificates can't be read.
        """
        context = ssl.create_default_context()
        if self.ca_file is None:
            return context
        # Only whom they name is trusted, not the system's as well.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        text = _read(self.ca_file, "--ca-file")
        try:
            context.load_verify_locations(cadata=text)
        except (ssl.SSLError, ValueError) as error:
            raise InputError(
                f"--ca-file: {self.ca_file} doesn't hold certificates in the form PEM"
            ) from error
        return context

    def roots(self) -> bytes | None:
        """The certificates to trust, PEM; `None` for gRPC's own."""
        if self.ca_file is not None:
            return _read(self.ca_file, "--ca-file").encode()
        system = ssl.get_default_verify_paths().cafile
        return Path(system).read_bytes() if system else None


def _read(path: Path, option: str) -> str:
    try:
        size, wrong = path.stat().st_size, what_is_wrong(path)
        if not wrong and size > _LARGEST_FILE:
            wrong = f"has {size} bytes, more than {_LARGEST_FILE}"
        if wrong:
            raise InputError(f"{option}: {path} {wrong}; give a text file")
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it isn't text"
        raise InputError(f"{option}: {path} can't be read: {why}") from error
