"""What a pair's folder says of itself: from what, how, and what is in it.

The record is written together with all other files of the pair, as the last of them. So
a folder that has one is whole, unless somebody changed it since, which shows as well.
"""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dlir_tf.cohort.inputs import Print, looks
from dlir_tf.cohort.pair_files import PairFiles
from dlir_tf.cohort.result import PairResult, Task
from dlir_tf.errors import InputError
from dlir_tf.files import LOCK, is_draft

FORMAT_VERSION = 1
_IMAGES = {"fixed", "moving"}


@dataclass(frozen=True)
class Record:
    """What is known of a pair that was registered.

    Attributes:
        id: What it was called.
        inputs: Its files, by their role.
        settings: How it was registered; see `Settings.described`.
        files: The size of every file that was written, by its name.
        result: What came of it, as JSON knows it.
    """

    id: str
    inputs: Mapping[str, Print]
    settings: Mapping[str, Any]
    files: Mapping[str, int]
    result: Mapping[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Writes it as JSON."""
        plain = {
            "format_version": FORMAT_VERSION,
            "id": self.id,
            **self.result,
            "inputs": {role: asdict(one) for role, one in self.inputs.items()},
            "settings": self.settings,
            "files": self.files,
        }
        text = json.dumps(plain, indent=2, allow_nan=False)
        path.write_text(text + "\n", encoding="utf-8")

    def is_whole(self, folder: Path) -> bool:
        """Whether all files are there, of the size that they were written with."""
        with contextlib.suppress(OSError):
            return all(
                (folder / name).stat().st_size == size
                for name, size in self.files.items()
            )
        return False

    def as_result(self, task: Task) -> PairResult:
        """What came of the pair, which was whole before."""
        told = self.result
        return PairResult(
            task.index,
            task.id,
            task.folder,
            told["verdict"],
            reasons=tuple(told["reasons"]),
            numbers=told["numbers"],
            notes=tuple(told["notes"]),
            is_new=False,
        )


def read_record(files: PairFiles) -> Record | None:
    """The record of a pair; `None` if there is none that can be read."""
    try:
        told = json.loads((files.folder / files.record).read_text(encoding="utf-8"))
        inputs = {
            role: Print(one["path"], tuple(one["look"]), one["sha256"])
            for role, one in told["inputs"].items()
        }
        result = {
            name: told[name] for name in ("verdict", "reasons", "numbers", "notes")
        }
        if told["format_version"] != FORMAT_VERSION or not inputs.keys() >= _IMAGES:
            return None
        sizes = {str(name): int(size) for name, size in told["files"].items()}
        return Record(told["id"], inputs, told["settings"], sizes, result)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def looks_done(task: Task, described: Mapping[str, Any]) -> PairResult | None:
    """What came of a pair, if its folder is whole and no file of it looks changed.

    Nothing is read but the record: of thousands of pairs this takes seconds. A file
    that was copied looks changed; whoever registers the pair looks closer.

    Raises:
        InputError: If an input isn't there.
    """
    record = read_record(task.files)
    if record is None or record.settings != described:
        return None
    if any(is_draft(path) for path in task.folder.iterdir()):
        return None  # of a process that was killed meanwhile
    now = looks(task.pair)
    same = now.keys() == record.inputs.keys() and all(
        one.path == record.inputs[role].path and one.look == record.inputs[role].look
        for role, one in now.items()
    )
    return record.as_result(task) if same and record.is_whole(task.folder) else None


def what_changed(
    record: Record,
    inputs: Mapping[str, Print],
    described: Mapping[str, Any],
    folder: Path,
) -> str:
    """Why a pair must be registered again: the end of a sentence; empty if not.

    Args:
        record: Of the pair's folder.
        inputs: What the pair's files are now.
        described: How it is to be registered now.
        folder: The pair's.
    """
    for role in sorted(inputs.keys() | record.inputs.keys()):
        old, new = record.inputs.get(role), inputs.get(role)
        if old is None or new is None:
            return f"{role.replace('_', ' ')} {'came' if old is None else 'went'}"
        if old.sha256 != new.sha256:
            return f"{new.path} has changed"
    changed = [
        name
        for name in sorted(described.keys() | record.settings.keys())
        if described.get(name) != record.settings.get(name)
    ]
    if changed:
        told = ", ".join(name.removesuffix("_digest") for name in changed)
        return f"other settings ({told.replace('_', ' ')})"
    return (
        "" if record.is_whole(folder) else "files that were written are gone or changed"
    )


def check_ours(
    files: PairFiles, record: Record | None, inputs: Mapping[str, Print]
) -> None:
    """Refuses to write where something else is.

    Args:
        files: The pair's.
        record: What it says of itself.
        inputs: What the pair's files are now.

    Raises:
        InputError: If it has files that no such run wrote, or those of another pair.
    """
    if record is None:
        for path in files.there():
            if not is_draft(path) and path.name not in (LOCK, files.record):
                raise InputError(
                    f"has {path.name}, which wasn't written by such a run; move the "
                    "folder away, or choose another --output",
                    place=files.folder,
                )
        return
    others = [
        old.path
        for role in sorted(_IMAGES)
        if (old := record.inputs[role]).path != inputs[role].path
        and old.sha256 != inputs[role].sha256
    ]
    if others:
        raise InputError(
            f"has the results of another pair, of {' and '.join(others)}; move the "
            "folder away, or choose another --output",
            place=files.folder,
        )
