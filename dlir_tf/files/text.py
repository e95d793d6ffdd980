"""Names of files that are no text: bytes in another encoding, from older systems."""

import os
from pathlib import Path
from typing import TypedDict

from dlir_tf.errors import InputError


class _Text(TypedDict):
    encoding: str
    errors: str


# How text is written that may name files; such a name as in Python, `alt\\udce4`.
TEXT: _Text = {"encoding": "utf-8", "errors": "backslashreplace"}


def name_for_itk(path: str | os.PathLike[str]) -> str:
    """The name of a file or folder as ITK takes it.

    Raises:
        InputError: If it's no text in UTF-8: then ITK would end the program.
    """
    name = os.fspath(path)
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            "this name, or that of a folder above, isn't in UTF-8, as ITK needs it for "
            "this format; rename it, or choose .nii.gz and .npz",
            place=Path(path),
        ) from error
    return name
