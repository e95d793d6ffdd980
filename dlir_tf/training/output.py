"""The folder that a training writes to: free, or its own from before."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.files import LOCK, check_folder, is_draft, locked, make_folder
from dlir_tf.models.folder_files import CHECKPOINT_FILE, PROVENANCE_FILE

# Preprocessed pairs are no result: a training that was stopped while it prepared
# them starts again, and finds them there.
CACHE_FOLDER = "cache"


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keeps other trainings out of a folder within the block.

    The folder is made if it isn't there, and goes again if nothing comes into it.

    Raises:
        InputError: If another training, which is still running, has it; or if it
            can't be made or written.
    """
    check_folder(folder)
    made = [path for path in (folder, *folder.parents) if not path.exists()]
    make_folder(folder)
    try:
        with locked(folder) as ours:
            if not ours:
                raise InputError(
                    "another training is writing there; wait until it has ended, or "
                    "choose another --output",
                    place=folder,
                )
            yield
    finally:
        for path in made:
            with contextlib.suppress(OSError):  # as long as it isn't empty
                path.rmdir()


def check_output_folder(folder: Path, *, resume: bool) -> None:
    """Refuses a folder that a training can't use, before any work is done.

    What a training that was killed leaves besides a checkpoint is in nobody's way.

    Args:
        folder: The model folder to make.
        resume: Whether an interrupted training is expected there.

    Raises:
        InputError: If it is in use, can't be written, or has nothing to resume.
    """
    cure = "choose another --output"
    check_folder(folder)
    interrupted = (folder / CHECKPOINT_FILE).is_file()
    if resume and not interrupted:
        problem = (
            "there is no interrupted training to go on with; leave --resume out to "
            "start one"
        )
        if (folder / PROVENANCE_FILE).is_file():
            problem = f"its training is finished; {cure} to train another model"
        raise InputError(problem, place=folder)
    if resume or not folder.exists():
        return
    no_result = (CACHE_FOLDER, LOCK)
    if any(e.name not in no_result and not is_draft(e) for e in folder.iterdir()):
        if interrupted:
            cure = f"go on with the interrupted training there by --resume, or {cure}"
        raise InputError(f"is in use already; {cure}", place=folder)
