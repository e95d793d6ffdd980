"""Folders of drafts: where files are written before they take their places."""

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from dlir_tf.files.disk import write_errors
from dlir_tf.files.locks import locked
from dlir_tf.files.moving import Move, go_on_moving

PREFIX = ".unfinished-"


@dataclass(frozen=True, eq=False)
class Draft:
    """A file that is being written.

    Attributes:
        path: Its place.
        folder: A folder of its own, which is there only meanwhile, on the same disk.
            The file is called in it as it will be called; what is written beside it,
            such as the voxels of a header, comes with it.
        finished: Names of files that are whole, in the order in which they became so.
    """

    path: Path
    folder: Path
    finished: list[str] = field(default_factory=list)

    @property
    def file(self) -> Path:
        """What to write to."""
        return self.folder / self.path.name

    def moves(self) -> list[Move]:
        """From where to where, in order.

        The last is the one without which the others can't be read: a header comes
        after its voxels, of a pair the one that was finished last.
        """
        names = {entry.name for entry in self.folder.iterdir()}
        order = [*self.finished, self.path.name]
        drafts = sorted(
            names, key=lambda name: (name in order and 1 + order.index(name), name)
        )
        return [(self.folder / name, self.path.with_name(name)) for name in drafts]


_open: ContextVar[tuple[Draft, ...]] = ContextVar("open drafts", default=())


@contextlib.contextmanager
def drafting(paths: list[Path]) -> Iterator[list[Draft]]:
    """Gives a draft for every file; their folders go at the end of the block.

    Raises:
        WriteError: If no folder can be made beside a file.
    """
    with contextlib.ExitStack() as stack:
        drafts: list[Draft] = []
        beside: dict[Path, Path] = {}
        for path in paths:
            with write_errors(path):
                if path.parent not in beside:
                    folder = stack.enter_context(_folder_in(path.parent))
                    beside[path.parent] = folder
                drafts.append(Draft(path, beside[path.parent] / f"{len(drafts)}"))
                drafts[-1].folder.mkdir()
        token = _open.set((*_open.get(), *drafts))
        stack.callback(_open.reset, token)
        yield drafts


def draft_of(path: Path) -> Draft | None:
    """The draft that a file which is to be written is already a part of."""
    return next((d for d in _open.get() if d.folder == path.parent), None)


def known_as(path: Path) -> Path:
    """The name by which the user knows a file: its place, if `path` is a draft."""
    draft = draft_of(path)
    return path if draft is None else draft.path.with_name(path.name)


def is_draft(path: Path) -> bool:
    """Whether a path is that of a folder of drafts, of this or another process."""
    return path.name.startswith(PREFIX) and path.is_dir()


def settle(path: Path) -> None:
    """Waits until the disk has taken a file, or a folder with all in it.

    Raises:
        OSError: If it can't; some file systems find out no sooner.
    """
    for each in (path, *path.rglob("*")) if path.is_dir() else (path,):
        if each.is_file():
            with each.open("rb+" if os.name == "nt" else "rb") as stream:
                os.fsync(stream.fileno())


@contextlib.contextmanager
def _folder_in(parent: Path) -> Iterator[Path]:
    """A new folder that is there only within the block, and ours by its lock."""
    remove_abandoned(parent)
    with contextlib.ExitStack() as stack:
        try:
            name = _make_locked(parent, stack)
        except OSError as error:  # which names a folder that nobody has heard of
            raise OSError(error.errno, error.strerror) from error
        stack.callback(shutil.rmtree, parent / name, ignore_errors=True)
        yield parent / name


def _make_locked(parent: Path, stack: contextlib.ExitStack) -> str:
    """Makes a new folder; tells its name."""
    for _ in range(100):
        name = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent)).name
        # Another process may take it for abandoned until it is locked.
        with contextlib.suppress(FileNotFoundError):
            if stack.enter_context(locked(parent / name)):
                return name
    raise FileExistsError(errno.EEXIST, "new folders are removed by another program")


def remove_abandoned(parent: Path) -> None:
    """Removes drafts of processes that have ended without doing so themselves.

    Those that were killed while they moved several files had all of them finished, and
    old ones were away already; so the rest is moved.
    """
    with contextlib.suppress(OSError):
        for folder in parent.glob(f"{PREFIX}*"):
            with contextlib.suppress(OSError), locked(folder, certainly=True) as ours:
                if ours:
                    go_on_moving(folder, parent)
                    shutil.rmtree(folder, ignore_errors=True)
