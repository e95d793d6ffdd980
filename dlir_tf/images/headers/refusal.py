"""The one sentence about a file that can't be read as an image."""

from pathlib import Path

from dlir_tf.errors import InputError


def unreadable(path: Path, problem: str) -> InputError:
    """The error to raise for a file that is damaged or of another format."""
    return InputError(
        f"can't be read as an image ({problem}); it's damaged, incomplete or of "
        "another format, so copy or convert it again",
        place=path,
    )
