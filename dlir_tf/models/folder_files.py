"""The files of a model folder, and whether they are all there.

Kept apart from `model_folder` because it needs no TensorFlow.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

from dlir_tf.errors import InputError
from dlir_tf.models.names import model_names

CONFIG_FILE = "config.yaml"
WEIGHTS_FILE = "model.weights.h5"
LAST_WEIGHTS_FILE = "last.weights.h5"
PROVENANCE_FILE = "provenance.json"
LOG_FILE = "training.csv"
PAGE_FILE = "training.html"
CHECKPOINT_FILE = "checkpoint.npz"
FORMAT_VERSION = 1


def check_model_folder(folder: Path) -> dict[str, Any]:
    """Returns the provenance of a complete model folder.

    Raises:
        InputError: If it isn't one; the message says what is missing.
    """
    if folder.suffix == ".tflite" and not folder.is_dir():
        raise InputError(
            f"{folder}: is the name of a .tflite file, which only registers and "
            "evaluates; give the model folder that it was exported from"
        )
    if folder.is_file():
        raise InputError(
            f"{folder}: is a file, and neither a model folder nor a .tflite file; "
            "`dlir-tf train --output FOLDER` makes a folder with a model"
        )
    if not folder.is_dir():
        raise InputError(
            f"{folder}: no such model folder; `dlir-tf train --output {folder}` "
            f"makes one{_what_ships()}"
        )
    names = (CONFIG_FILE, WEIGHTS_FILE, PROVENANCE_FILE)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing and (folder / CHECKPOINT_FILE).is_file():
        raise InputError(
            f"{folder}: its training isn't finished; `dlir-tf train --resume --output "
            f"{folder}` goes on with it"
        )
    if missing:
        raise InputError(
            f"{folder}: isn't a complete model folder, it lacks {', '.join(missing)}; "
            "copy it again, or train again"
        )
    try:
        provenance = json.loads((folder / PROVENANCE_FILE).read_text(encoding="utf-8"))
        version = provenance["format_version"]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(
            f"{folder / PROVENANCE_FILE}: can't be read ({type(error).__name__}: "
            f"{error}); copy the model folder again, or train again"
        ) from error
    if version != FORMAT_VERSION:
        raise InputError(
            f"{folder}: a model folder of version {version}; this dlir-tf reads "
            f"version {FORMAT_VERSION}: install the dlir-tf that made it "
            f"({provenance.get('dlir_tf', 'version unknown')}), or train again"
        )
    if not isinstance(provenance.get("weights_sha256"), str):
        raise InputError(
            f"{folder / PROVENANCE_FILE}: is damaged, it lacks the weights_sha256 that "
            f"{WEIGHTS_FILE} is checked by; copy the model folder again, or train again"
        )
    _check_config(folder, provenance.get("config_sha256"))
    return dict(provenance)


def _what_ships() -> str:
    names = model_names()
    return f"; models that ship: {', '.join(names)}" if names else ""


def config_digest(text: bytes) -> str:
    """The digest of a config's file, however its lines end."""
    return hashlib.sha256(text.replace(b"\r\n", b"\n")).hexdigest()


def _check_config(folder: Path, expected: Any) -> None:
    """Folders of older versions have no such digest."""
    if expected is None:
        return
    try:
        text = (folder / CONFIG_FILE).read_bytes()
    except OSError as error:
        raise InputError(
            f"{folder / CONFIG_FILE}: can't be read: {error.strerror}"
        ) from error
    if config_digest(text) != expected:
        raise InputError(
            f"{folder / CONFIG_FILE}: isn't the config that {WEIGHTS_FILE} beside it "
            f"was trained by, as {PROVENANCE_FILE} tells: it was changed or damaged; "
            "copy the model folder again, or train again with the new config"
        )
