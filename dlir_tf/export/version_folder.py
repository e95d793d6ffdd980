"""The versioned folder that TensorFlow Serving watches: `OUTPUT/NAME/VERSION`."""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.files import check_folder, make_folder, replacing

# Written into every version by an export; a folder without it isn't ours.
DESCRIPTION_FILE = "signature.json"

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def check_version_folder(output: Path, name: str, version: int, config: Config) -> Path:
    """Returns the folder of a version that isn't there yet.

    Args:
        output: The folder of all exported models; made when it's needed.
        name: The model's name for the server.
        version: From 1; a server takes the highest one that it finds.
        config: Of the model; its rank and description tell it from another one.

    Raises:
        InputError: If the name isn't one of a folder, the version is taken, other
            versions there are of another model, or nothing can be written there.
    """
    if not _NAME.fullmatch(name):
        raise InputError(
            "--name: must be letters, digits, `_`, `.` and `-`, and not start with "
            f"`.` or `-`. Received: {name!r}"
        )
    home = Path(output) / name
    for folder in (Path(output), home):
        check_folder(folder)
        _check_no_model(folder)
    taken = _versions(home)
    if version in taken:
        raise InputError(
            f"{home / str(version)}: this version is there already; the next free one "
            f"is --version {max(taken) + 1}"
        )
    if taken:
        _check_same_model(home / str(max(taken)), config)
    return home / str(version)


@contextlib.contextmanager
def new_version(
    output: Path, name: str, version: int, config: Config
) -> Iterator[Path]:
    """Gives a new folder beside the version's, which takes its name at the end.

    If the block fails, the new folder goes, and so do the folders above it that
    were made for it: a server never sees a version that isn't whole and checked.

    Args:
        output: As for `check_version_folder`, like the other three.
        name: The model's name for the server.
        version: A version that isn't there yet.
        config: Of the model.
    """
    target = check_version_folder(output, name, version, config)
    home = target.parent
    missing = [path for path in (home, *home.parents) if not path.exists()]
    try:
        make_folder(home)
        # A server takes no notice of folders whose name isn't a number.
        with replacing(target) as unfinished:
            unfinished.mkdir()
            yield unfinished
    except BaseException:
        for folder in missing:
            # Another process may use it by now.
            with contextlib.suppress(OSError):
                folder.rmdir()
        raise


def _versions(home: Path) -> set[int]:
    """The versions that a server finds in a model's folder."""
    if not home.is_dir():
        return set()
    names = (path.name for path in home.iterdir())
    return {int(name) for name in names if re.fullmatch(r"[0-9]+", name)}


def _check_no_model(folder: Path) -> None:
    """Refuses a folder that is a model itself, instead of holding versions of one."""
    for name in ("saved_model.pb", "model.weights.h5"):
        if (folder / name).exists():
            raise InputError(
                f"{folder}: is a model itself, it has {name}; choose another --output "
                "or --name"
            )


def _check_same_model(version: Path, config: Config) -> None:
    """Refuses to put a version beside those of another model.

    A server would hand the new one to callers who send what the old one takes. What
    is trained again, with other stages or settings, remains the same model as long as
    its rank and its description do, which says what images it registers.
    """
    what = "isn't an export of dlir-tf"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        described = json.loads((version / DESCRIPTION_FILE).read_text(encoding="utf-8"))
        ndim, description = described["ndim"], described["config"]["description"]
        if (ndim, description) == (config.ndim, config.description):
            return
        what = f"registers {ndim}-d images"
        if ndim == config.ndim:
            what = f"is for {description!r}, and this one for {config.description!r}"
    raise InputError(
        f"{version.parent}: holds another model, whose version {version.name} {what}; "
        "choose another --name"
    )
