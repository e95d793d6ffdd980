"""What went wrong on the way to a server, in one sentence each."""

import re

from dlir_tf.errors import InputError
from dlir_tf.serving.address import Address


class ServerError(InputError):
    """The server can't be reached or asked; the images have nothing to do with it."""


class CallError(Exception):
    """A call that failed, however it was made.

    Attributes:
        code: The name of gRPC's status code, like `NOT_FOUND`.
        message: What the server, or the connection to it, says.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class AnswerError(CallError):
    """An answer that came but can't be what it should be.

    Attributes:
        code: `DATA_LOSS`.
        message: What is wrong with it.
    """

    def __init__(self, message: str) -> None:
        super().__init__("DATA_LOSS", message)


# Beside gRPC's codes.
UNTRUSTED = "UNTRUSTED"

# Of what a server says, this much is passed on.
_LONGEST = 300
_ASSERTION = re.compile(r"assertion failed: \[(.*)\]")
_PAIR = re.compile(r"^pair \d+ of the batch: ")


def explain(
    error: CallError, address: Address, model_name: str, timeout: float
) -> InputError:
    """Says of a failed call what it means and how to mend it.

    Args:
        error: The call's.
        address: Whom it went to.
        model_name: What was asked for.
        timeout: How long was waited, in seconds.

    Returns:
        The error to raise: what the model said of the images as it is, a
        `ServerError` otherwise.
    """
    told = _assertion(error.message)
    if told is not None:
        return InputError(told)
    says = _first_line(error.message)
    if error.code == "UNAVAILABLE" and "queue" in says:
        return ServerError(f"{address}: the server is busy ({says}); ask again later")
    sentences = {
        "UNAVAILABLE": (
            f"no server answers there ({says}); start TensorFlow Serving, or check "
            "host and port: it listens for gRPC at 8500 (--server HOST:8500) and for "
            "REST at 8501 (--server http://HOST:8501)"
        ),
        "DEADLINE_EXCEEDED": (
            f"no answer within {timeout:g} s; the server may be busy, far away, or "
            "not one of this protocol; --timeout lets you wait longer"
        ),
        "NOT_FOUND": (
            f"there is no model {model_name!r} on this server ({says}); choose one by "
            f"--model-name, or let the server have it: `dlir-tf export --name "
            f"{model_name}`"
        ),
        "RESOURCE_EXHAUSTED": (
            f"the server can't take images of this size ({says}); give it more "
            "memory, or larger messages where a proxy limits them"
        ),
        "UNIMPLEMENTED": (
            f"what answers there isn't TensorFlow Serving ({says}); check host and port"
        ),
        UNTRUSTED: (
            f"the server can't be trusted to be the one that was meant ({says}); if it "
            "is, give the certificate of whoever signed its own by --ca-file, and call "
            "it by the name in it"
        ),
        "UNAUTHENTICATED": (
            f"the server wants to know who asks ({says}); give a token that it knows "
            "by --token-file"
        ),
        "PERMISSION_DENIED": (
            f"whoever asks may not use the model {model_name!r} there ({says}); give "
            "another token by --token-file"
        ),
        "DATA_LOSS": unusable(says),
    }
    otherwise = f"the server failed ({error.code}): {says}"
    return ServerError(f"{address}: {sentences.get(error.code, otherwise)}")


def unusable(why: str) -> str:
    """Says that an answer can't be used, and what may be behind it."""
    return (
        f"the server's answer can't be used ({why}); the model there may be damaged, "
        "or what answers isn't TensorFlow Serving with a model of dlir-tf"
    )


def _assertion(message: str) -> str | None:
    """The sentence of an assertion in the model's graph, if it's that what failed."""
    found = _ASSERTION.search(message)
    if found is None:
        return None
    # Several parts are printed as `[one] [two]`, and quotes with a backslash.
    text = found[1][: 10 * _LONGEST].replace("] [", " ")
    return printable(_PAIR.sub("", re.sub(r"\\(['\"\\])", r"\1", text)))


def _first_line(message: str) -> str:
    """The first line; of a chain of causes, as gRPC tells it, the last one."""
    line = (message.strip().splitlines() or ["no reason given"])[0]
    cause = line.rpartition("last error: ")[2]
    if cause != line:
        cause = cause.rpartition(": ")[2]
    return printable(cause)[:_LONGEST].rstrip(".; ")


def printable(text: str) -> str:
    """Makes what a server says fit to be shown: one line, without control characters.

    A terminal would obey them: they move the cursor, hide text or change its direction.
    """
    return "".join(c if c.isprintable() else " " for c in text[: 10 * _LONGEST])
