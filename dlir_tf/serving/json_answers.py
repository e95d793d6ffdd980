"""What a server's JSON says, if it's what it should be."""

import http.client
import json
from typing import Any

import numpy as np

from dlir_tf.serving.connection import MAX_AXES, Signature, VersionState
from dlir_tf.serving.failures import AnswerError, CallError

# The status codes by which TensorFlow Serving's REST says what gRPC's say.
_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
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


def read_answer(status: int, text: bytes) -> dict[str, Any]:
    """Reads the JSON of an answer, which may be an error.

    Args:
        status: Of HTTP.
        text: What came.

    Raises:
        CallError: If it's an error, or no JSON.
    """
    try:
        answer: Any = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        ours = status >= 500 or status in (401, 403)
        code = _CODES.get(status, "INTERNAL") if ours else "UNIMPLEMENTED"
        raise CallError(code, f"HTTP status {status}, and no JSON")
    told = answer.get("error")
    if status != http.client.OK or "error" in answer:
        code = _CODES.get(status, "INTERNAL")
        raise CallError(
            code, told if isinstance(told, str) else f"HTTP status {status}"
        )
    return answer


def as_array(name: str, nested: Any) -> np.ndarray:
    """Makes an array of nested lists.

    Args:
        name: Of the output.
        nested: As JSON gives it.

    Returns:
        float32; or texts, if it's a list of texts.

    Raises:
        AnswerError: If it's neither, or ragged.
    """
    if isinstance(nested, list) and nested and isinstance(nested[0], str):
        if not all(isinstance(each, str) for each in nested):
            raise AnswerError(f"{name} mixes texts with something else")
        texts = np.empty(len(nested), object)
        texts[:] = nested
        return texts
    if not _is_numbers(nested, MAX_AXES):
        raise AnswerError(f"{name} isn't made of numbers")
    try:
        # What float32 can't hold becomes infinite, and is refused for it.
        with np.errstate(over="ignore"):
            return np.array(nested, np.float64).astype(np.float32)
    except (ValueError, OverflowError) as error:
        raise AnswerError(f"{name} has rows of unequal lengths") from error


def _is_numbers(nested: Any, depth: int) -> bool:
    if isinstance(nested, list):
        return depth > 0 and all(_is_numbers(each, depth - 1) for each in nested)
    return isinstance(nested, float | int) and not isinstance(nested, bool)


def within(answer: Any, *keys: str, kind: type = dict) -> Any:
    """Goes down nested mappings.

    Args:
        answer: The outermost.
        keys: From the outermost to the innermost.
        kind: What is expected there.

    Raises:
        CallError: If it isn't there.
        AnswerError: If it's of another kind.
    """
    for number, key in enumerate(keys, start=1):
        if key not in answer:
            raise CallError("UNIMPLEMENTED", f"its answer lacks {key}")
        answer = answer[key]
        if not isinstance(answer, kind if number == len(keys) else dict):
            raise AnswerError(f"{key} isn't what it should be")
    return answer


def as_state(described: Any) -> VersionState:
    """Reads the state of a version."""
    status = described.get("status", {}) if isinstance(described, dict) else None
    if not isinstance(status, dict):
        raise AnswerError("the state of a version isn't what it should be")
    message = str(status.get("error_message", ""))
    return VersionState(str(described.get("state", "UNKNOWN")), message)


def as_signature(described: Any) -> Signature:
    """Reads what a signature takes and gives."""
    if not isinstance(described, dict):
        raise AnswerError("a signature isn't what it should be")
    inputs, outputs = described.get("inputs", {}), described.get("outputs", {})
    if not isinstance(inputs, dict) or not isinstance(outputs, dict):
        raise AnswerError("a signature isn't what it should be")
    ranks = {name: _rank(info) for name, info in inputs.items()}
    return Signature(ranks, frozenset(outputs))


def _rank(info: Any) -> int | None:
    shape = info.get("tensor_shape", {}) if isinstance(info, dict) else None
    if not isinstance(shape, dict) or not isinstance(shape.get("dim", []), list):
        raise AnswerError("a signature isn't what it should be")
    return None if shape.get("unknown_rank") else len(shape.get("dim", []))
