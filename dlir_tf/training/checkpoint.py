"""The state of an interrupted training, in one file."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.files import replacing

Arrays = list[np.ndarray]

_GROUPS = ("weights", "best", "optimizer")


@dataclass(frozen=True)
class Progress:
    """Where a training stands.

    Attributes:
        phase: Index of the phase.
        step: Steps of this phase that are done.
        best_loss: Smallest validation loss of this phase; infinity before the first.
        best_step: After how many steps it was reached.
        seconds: Training time so far.
        identity: Digest of everything that must be the same on resuming.
    """

    phase: int
    step: int
    best_loss: float
    best_step: int
    seconds: float
    identity: str


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """All that it takes to go on.

    Attributes:
        progress: Where the training stands.
        weights: Of the network, after the last step.
        best: Of the network, after this phase's best step.
        optimizer: The optimizer's variables; empty before the phase's first step.
    """

    progress: Progress
    weights: Arrays
    best: Arrays
    optimizer: Arrays = field(default_factory=list)


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Writes a checkpoint in the place of the last one, whole or not at all."""
    with replacing(path) as unfinished, unfinished.open("wb") as stream:
        write_checkpoint(stream, checkpoint)


def write_checkpoint(stream: IO[bytes], checkpoint: Checkpoint) -> None:
    """Writes a checkpoint into a file that is open."""
    arrays: dict[str, Any] = {
        f"{name}_{index:04d}": array
        for name in _GROUPS
        for index, array in enumerate(getattr(checkpoint, name))
    }
    arrays["progress"] = np.array(json.dumps(asdict(checkpoint.progress)))
    counts = {name: len(getattr(checkpoint, name)) for name in _GROUPS}
    arrays["counts"] = np.array(json.dumps(counts))
    np.savez(stream, **arrays)


def load_checkpoint(path: Path, stream: IO[bytes] | None = None) -> Checkpoint:
    """Reads what `save_checkpoint` wrote.

    Args:
        path: The file.
        stream: What is in it, if that isn't to be read from there.

    Raises:
        InputError: If it can't be read.
    """
    try:
        with np.load(path if stream is None else stream, allow_pickle=False) as stored:
            progress = Progress(**json.loads(str(stored["progress"])))
            groups = {name: _group(stored, name) for name in _GROUPS}
            if "counts" in stored:
                counts = json.loads(str(stored["counts"]))
                if counts != {name: len(group) for name, group in groups.items()}:
                    raise ValueError(f"expected {counts} arrays")
        return Checkpoint(progress, **groups)
    except Exception as error:  # damaged archives raise nearly anything
        raise damaged(path, str(error)) from error


def damaged(path: Path, problem: str) -> InputError:
    """The error of a checkpoint from which nothing can go on."""
    return InputError(
        f"the checkpoint is damaged ({problem}), so this training can't go on; train "
        "again, with another --output",
        place=path,
    )


def _group(stored: Any, name: str) -> Arrays:
    """The arrays of a group, in their order."""
    keys = sorted(key for key in stored if key.startswith(f"{name}_"))
    if keys != [f"{name}_{index:04d}" for index in range(len(keys))]:
        raise ValueError(f"arrays of {name} are missing")
    return [stored[key] for key in keys]
