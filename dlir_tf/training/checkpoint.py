"""The state of an interrupted training, in one file."""

import json
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

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
    arrays: dict[str, Any] = {
        f"{name}_{index:04d}": array
        for name in _GROUPS
        for index, array in enumerate(getattr(checkpoint, name))
    }
    arrays["progress"] = np.array(json.dumps(asdict(checkpoint.progress)))
    with replacing(path) as unfinished, unfinished.open("wb") as stream:
        np.savez(stream, **arrays)


def load_checkpoint(path: Path) -> Checkpoint:
    """Reads what `save_checkpoint` wrote.

    Raises:
        InputError: If it can't be read.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            progress = Progress(**json.loads(str(stored["progress"])))
            groups = {
                name: [stored[k] for k in sorted(stored) if k.startswith(f"{name}_")]
                for name in _GROUPS
            }
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        zipfile.BadZipFile,
    ) as error:
        raise InputError(
            f"{path}: the checkpoint is damaged ({error}); train again, with another "
            "--output"
        ) from error
    return Checkpoint(progress, **groups)
