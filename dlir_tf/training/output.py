"""The folder that a training writes to: free, or its own from before."""

from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.files import check_folder
from dlir_tf.models.folder_files import CHECKPOINT_FILE, PROVENANCE_FILE

# Preprocessed pairs are no result: a training that was stopped while it prepared
# them starts again, and finds them there.
CACHE_FOLDER = "cache"


def check_output_folder(folder: Path, *, resume: bool) -> None:
    """Refuses a folder that a training can't use, before any work is done.

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
        if (folder / PROVENANCE_FILE).is_file():
            raise InputError(
                f"{folder}: its training is finished; {cure} to train another model"
            )
        raise InputError(
            f"{folder}: there is no interrupted training to go on with; leave "
            "--resume out to start one"
        )
    if resume or not folder.exists():
        return
    if any(entry.name != CACHE_FOLDER for entry in folder.iterdir()):
        if interrupted:
            cure = f"go on with the interrupted training there by --resume, or {cure}"
        raise InputError(f"{folder}: is in use already; {cure}")
