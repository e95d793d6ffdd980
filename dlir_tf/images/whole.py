"""Writes a file, and the one beside it that some formats need, whole or not at all."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dlir_tf.errors import InputError


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Gives the name of a file to write in a new folder beside `path`.

    At the end, all files in that folder take their place beside each other, the one
    called like `path` last: a header never comes before its voxels. If the block
    fails, the new files go and old ones stay as they were.

    Args:
        path: The file to write; an existing one is replaced.

    Raises:
        InputError: If the folder or the disk don't allow it, or if the block raises
            an `OSError` or, as SimpleITK does, a `RuntimeError`.
    """
    scratch = None
    try:
        scratch = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=path.parent))
        yield scratch / path.name
        drafts = sorted(scratch.iterdir(), key=lambda draft: draft.name == path.name)
        targets = [path.with_name(draft.name) for draft in drafts]
        for target in targets:
            if target.is_dir():
                raise IsADirectoryError(None, f"{target.name} is a folder")
        for draft, target in zip(drafts, targets, strict=True):
            os.replace(draft, target)
    except (OSError, RuntimeError) as error:
        said = getattr(error, "strerror", None) or str(error).strip().split("\n")[-1]
        raise InputError(
            f"{path}: can't be written ({said}); choose a folder that exists, is "
            "writable and has space"
        ) from error
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
