"""Moving finished drafts to their places, so that no old file stands beside a new one.

All old files of one command are moved away before the first new one is moved in. What
is being done stands in a list beside the drafts, by which whoever comes after a kill
goes on, in each folder by itself.
"""

import contextlib
import json
import os
from pathlib import Path

from dlir_tf.files.disk import write_errors
from dlir_tf.files.locks import alone_in

MOVING = ".moving"
_BEFORE = ".before-"

# A draft, `FOLDER/NUMBER/NAME`, and its place.
Move = tuple[Path, Path]
Identity = list[int] | None


def move_together(moves: list[Move]) -> None:
    """Moves drafts to their places: all, or none.

    Args:
        moves: From where to where; what can't be read without others comes after them.

    Raises:
        WriteError: If one can't be moved; then all old files are where they were.
    """
    if len(moves) == 1:
        _rename(*moves[0], place=moves[0][1])
        return
    with contextlib.ExitStack() as stack:
        # Other writers' files would mix with ours.
        for parent in sorted({place.parent.resolve() for _, place in moves}):
            stack.enter_context(alone_in(parent))
        for folder in {draft.parents[1] for draft, _ in moves}:
            _write_list(folder, [move for move in moves if folder in move[0].parents])
        _carry_out(moves)


def go_on_moving(folder: Path, parent: Path) -> None:
    """Moves what a process that was killed has left to be moved.

    Nothing is done if it had moved nothing yet, or if others have written since.

    Args:
        folder: Of its drafts.
        parent: Where these belong.
    """
    listed = _read_list(folder)
    with alone_in(parent):
        left: list[Move] = []
        begun = not any(old for _, _, old in listed)  # nothing would be lost by it
        for name, new, old in listed:
            draft, place = folder / name, parent / Path(name).name
            there, moved = _identity(place), _identity(draft) is None
            if there not in ([new] if moved else [None, old]):
                return
            begun = begun or moved or there != old
            left += [] if moved else [(draft, place)]
        if begun:
            _carry_out(left)


def _carry_out(moves: list[Move]) -> None:
    """Moves old files away, in the opposite order, and new ones in."""
    away = [
        (place, draft.with_name(_BEFORE + draft.name), place)
        for draft, place in reversed(moves)
        if os.path.lexists(place)
    ]
    begun: list[Move] = []
    try:
        for source, target, place in [*away, *((d, p, p) for d, p in moves)]:
            begun.append((source, target))
            _rename(source, target, place=place)
    except BaseException:
        for source, target in reversed(begun):
            if os.path.lexists(target) and not os.path.lexists(source):
                with contextlib.suppress(OSError):
                    target.replace(source)
        raise


def _rename(source: Path, target: Path, *, place: Path) -> None:
    drafts = source.parent if target == place else target.parent
    with write_errors(place, drafts):
        source.replace(target)


def _write_list(folder: Path, moves: list[Move]) -> None:
    """Notes down what is moved, and how to know it and what was there before."""
    listed = [
        (f"{draft.relative_to(folder)}", _identity(draft), _identity(place))
        for draft, place in moves
    ]
    with write_errors(moves[0][1], folder):
        (folder / MOVING).write_text(json.dumps(listed), encoding="utf-8")


def _read_list(folder: Path) -> list[tuple[str, Identity, Identity]]:
    """What was noted down; nothing if that was broken off: then nothing was moved."""
    try:
        if not (folder / MOVING).is_file():  # but a pipe, say
            return []
        text = (folder / MOVING).read_text(encoding="utf-8")
        listed = [(str(name), new, old) for name, new, old in json.loads(text)]
    except (OSError, ValueError, TypeError, RecursionError):
        return []
    parts = [Path(name).parts for name, _, _ in listed]
    return [] if any(len(p) != 2 or ".." in p for p in parts) else listed


def _identity(path: Path) -> Identity:
    """What stays the same of a file that is moved; `None` if there is none."""
    try:
        known = path.lstat()
    except OSError:
        return None
    return [known.st_ino, known.st_size, known.st_mtime_ns]
