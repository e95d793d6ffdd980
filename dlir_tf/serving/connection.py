"""What every connection to a server can do, whatever its protocol."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

# float32, or of Python's texts.
Arrays = dict[str, np.ndarray]

# What a server may answer, in bytes: of a model a few kilobytes; of a pair a small part
# of its voxels, unless the working grid is much finer than the images.
MAX_DESCRIPTION = 2**22
MAX_ANSWER = 2**28
# Tensors of dlir-tf have five axes at most.
MAX_AXES = 8


def most_bytes(inputs: Arrays) -> int:
    """How long the answer to a request may be, in bytes, as float32.

    Args:
        inputs: Of the request.
    """
    asked = sum(array.nbytes for array in inputs.values())
    return min(MAX_DESCRIPTION + 8 * asked, MAX_ANSWER)


@dataclass(frozen=True)
class Signature:
    """What a signature takes and gives.

    Attributes:
        inputs: The rank of each input, batch included; `None` if it's any.
        outputs: The names of the outputs.
    """

    inputs: dict[str, int | None]
    outputs: frozenset[str]


@dataclass(frozen=True)
class VersionState:
    """The state of one version of a model.

    Attributes:
        state: `START`, `LOADING`, `AVAILABLE`, `UNLOADING` or `END`.
        message: Why it ended, if it failed.
    """

    state: str
    message: str


class Connection(Protocol):
    """A connection to one model of a server; all calls may raise `CallError`."""

    def states(self) -> list[VersionState]:
        """Asks which versions the server has, and in which state they are."""

    def signatures(self) -> dict[str, Signature]:
        """Asks for the signatures of the model's newest version."""

    def predict(self, signature: str, inputs: Arrays) -> Arrays:
        """Calls a signature.

        Args:
            signature: Its name.
            inputs: float32, by name.

        Returns:
            The outputs by name, float32 or texts.
        """
