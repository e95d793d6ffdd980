"""Files that nobody is to see, in the system's folder for such."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from dlir_tf.errors import WriteError
from dlir_tf.files import write_errors


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Gives a folder that is there only within the block.

    Raises:
        WriteError: If the disk doesn't take it, or what the block writes into it; it
            tells how to choose another disk.
    """
    home = Path(tempfile.gettempdir())
    told = f"{home} (for temporary files; the variable TMPDIR names another folder)"
    try:
        with (
            write_errors(home),
            tempfile.TemporaryDirectory(prefix="dlir-tf-", dir=home) as folder,
        ):
            yield Path(folder)
    except WriteError as error:
        if error.filename == str(home):
            raise error.at(told) from error
        raise
