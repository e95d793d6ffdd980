"""The folder of a run: what is found is kept there at once, should it be killed.

Meanwhile it holds a folder `unfinished` with the answers of the frames that are done,
and what they are the answers to. A run of the same series with the same options goes
on from there; any other is refused, and so is a folder in which there is anything else.
"""

import hashlib
import json
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf._version import __version__
from dlir_tf.errors import InputError
from dlir_tf.files import check_folder, make_folder, replacing, write_together
from dlir_tf.files.drafts import is_draft
from dlir_tf.images import Frames, Image
from dlir_tf.series.frame import Answer
from dlir_tf.series.notes import Notes
from dlir_tf.transforms import Transform, read_transform
from dlir_tf.transforms.files.own import write_own

UNFINISHED = "unfinished"
_RUN = "run.json"


def identity_of(frames: Frames, mask: Image | None, options: dict[str, Any]) -> str:
    """What tells a run from others: its frames, its mask and its options, as a hash.

    Args:
        frames: Of the series.
        mask: Of the reference, or none.
        options: All that has a say in the answers, as JSON knows it.
    """
    found = hashlib.sha256(json.dumps([__version__, options], default=str).encode())
    for image in (*frames, *([mask] if mask is not None else [])):
        found.update(repr((image.shape, image.affine.tolist())).encode())
        found.update(np.ascontiguousarray(image.array).tobytes())
    return found.hexdigest()


def check_new(folder: Path) -> None:
    """Refuses a folder with anything but an unfinished run in it.

    Raises:
        InputError: If there is, or it can't be written.
    """
    check_folder(folder)
    if not folder.is_dir() or (folder / UNFINISHED / _RUN).is_file():
        return  # what else is there then, the interrupted run has written
    others = sorted(e.name for e in folder.iterdir() if not is_draft(e))
    if others:
        raise InputError(
            f"{folder}: must be a new or an empty folder, or that of a run that was "
            f"interrupted, but there is {others[0]}; choose another --output"
        )


@dataclass(eq=False)
class FolderNotes(Notes):
    """Answers in a folder.

    Attributes:
        folder: Of the run.
        identity: From `identity_of`.
    """

    folder: Path
    identity: str

    def __post_init__(self) -> None:
        """Looks whether there is something to go on with.

        Raises:
            InputError: If it's the folder of another run.
        """
        super().__init__()
        run = self.folder / UNFINISHED / _RUN
        if run.is_file() and _read(run).get("identity") != self.identity:
            raise InputError(
                f"{self.folder}: holds an unfinished run of another series, or with "
                "other options; choose another --output, or delete it"
            )

    def recall(self, turn: int, frame: int) -> Answer | None:
        """The answer of a frame, if it was noted."""
        transform, numbers = self._files(turn, frame)
        if not (transform.is_file() and numbers.is_file()):
            return None
        try:
            return Answer(read_transform(transform), **_read(numbers))
        except (InputError, TypeError):  # damaged, so it's found once more
            return None

    def note(self, turn: int, frame: int, answer: Answer) -> None:
        """Notes the answer of a frame, whole; the first one makes the folder."""
        make_folder(self.folder / UNFINISHED)
        run = self.folder / UNFINISHED / _RUN
        if not run.is_file():
            with replacing(run) as draft:
                draft.write_text(json.dumps({"identity": self.identity}) + "\n")
        transform, numbers = self._files(turn, frame)
        told = {k: v for k, v in vars(answer).items() if k != "transform"}
        write_together(
            {
                transform: partial(_write_transform, transform=answer.transform),
                numbers: lambda draft: draft.write_text(json.dumps(told) + "\n"),
            }
        )

    def forget(self) -> None:
        """Removes the notes, when all that they are for is written."""
        shutil.rmtree(self.folder / UNFINISHED, ignore_errors=True)

    def _files(self, turn: int, frame: int) -> tuple[Path, Path]:
        name = f"turn{turn}_frame{frame:04d}"
        unfinished = self.folder / UNFINISHED
        return unfinished / f"{name}.npz", unfinished / f"{name}.json"


def _write_transform(draft: Path, transform: Transform) -> None:
    # Our own format holds all and needs no grid; the file won't be there for long.
    write_own(draft, transform, packed=False)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
