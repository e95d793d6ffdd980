"""The file of a LiteRT model: a TFLite flatbuffer with a zip archive at its end.

That is how TFLite keeps metadata: interpreters stop at the end of the flatbuffer, and
any zip program lists what comes after it:

- `config.yaml`: what the model was built from, as in a model folder.
- `dlir_tf.json`: version of this format, shape and precision, the provenance of the
  model, and digests of the flatbuffer and of all that is said of it.
"""

import hashlib
import io
import json
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlir_tf.config import Config, dump_config, parse_config
from dlir_tf.errors import InputError
from dlir_tf.files.plain import what_is_wrong

SUFFIX = ".tflite"
CONFIG_ENTRY = "config.yaml"
CARD_ENTRY = "dlir_tf.json"
FORMAT_VERSION = 1

_LARGEST_ENTRY = 1 << 22  # bytes; a config has a few thousand
# What zipfile and json raise of archives that are damaged.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    NotImplementedError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)

PARAMETERS = "parameters"
REGISTER = "register"


@dataclass(frozen=True)
class Card:
    """What a file says of the model in it.

    Attributes:
        config: What the model was built from.
        shape: Voxels per axis of the working grid; the only one that it takes.
        precision: Of its weights: `float32`, `float16` or `int8`.
        provenance: Versions, seed, digests of data and weights.
    """

    config: Config
    shape: tuple[int, ...]
    precision: str
    provenance: dict[str, Any] = field(default_factory=dict)


def pack(flatbuffer: bytes, card: Card) -> bytes:
    """Puts a card at the end of a flatbuffer, which makes it a model's file."""
    content = {
        "format_version": FORMAT_VERSION,
        "shape": list(card.shape),
        "precision": card.precision,
        "flatbuffer_sha256": hashlib.sha256(flatbuffer).hexdigest(),
        "provenance": card.provenance,
    }
    config_text = dump_config(card.config)
    content["card_sha256"] = _card_digest(content, config_text)
    whole = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(whole, "a") as archive:
        archive.writestr(CONFIG_ENTRY, config_text)
        archive.writestr(CARD_ENTRY, json.dumps(content, indent=2) + "\n")
    return whole.getvalue()


def read_model_file(path: str | Path) -> tuple[bytes, Card]:
    """Reads a model's file; nothing in it is executed.

    Returns:
        The flatbuffer, and what the file says of it.

    Raises:
        InputError: If there is no such file, it's damaged, another program made it,
            or its version is another one.
    """
    path = Path(path)
    if what_is_wrong(path):
        raise InputError(
            f"{path}: no such model file; `dlir-tf export --format tflite --output "
            f"{path}` makes one of a model folder"
        )
    whole = path.read_bytes()
    content, config_text, length = _entries(whole, path)
    if content.get("format_version") != FORMAT_VERSION:
        raise InputError(
            f"{path}: a model file of version {content.get('format_version')}; this "
            f"dlir-tf reads version {FORMAT_VERSION}: export the model again"
        )
    flatbuffer = whole[:length]
    if hashlib.sha256(flatbuffer).hexdigest() != content.get("flatbuffer_sha256"):
        raise InputError(f"{path}: is damaged; copy it again, or export it again")
    config = parse_config(config_text, f"{path}: {CONFIG_ENTRY}")
    card = _card(path, content, config)
    # Files of older versions have no such digest.
    if content.get("card_sha256") not in (None, _card_digest(content, config_text)):
        raise InputError(
            f"{path}: its {CARD_ENTRY} or {CONFIG_ENTRY} was changed or damaged since "
            "it was exported; copy it again, or export it again"
        )
    return flatbuffer, card


def _card_digest(content: dict[str, Any], config_text: str) -> str:
    """Changes with anything that a file says of its model."""
    said = {key: value for key, value in content.items() if key != "card_sha256"}
    text = json.dumps([said, config_text], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _card(path: Path, content: dict[str, Any], config: Config) -> Card:
    """What the entry of the card says, checked."""
    shape, provenance = content.get("shape"), content.get("provenance")
    sizes = shape if isinstance(shape, list) else []
    whole = all(type(size) is int and size > 0 for size in sizes)
    if len(sizes) != config.ndim or not whole or not isinstance(provenance, dict):
        raise InputError(
            f"{path}: its card must state a shape of {config.ndim} sizes and a "
            f"provenance, but states {str(shape)[:100]}; export the model again"
        )
    return Card(config, tuple(sizes), str(content.get("precision")), provenance)


def _text(archive: zipfile.ZipFile, name: str) -> str:
    entry = archive.getinfo(name)
    if entry.file_size > _LARGEST_ENTRY:
        raise ValueError(f"{name} would unpack to {entry.file_size} bytes")
    return archive.read(entry).decode("utf-8")


def _entries(whole: bytes, path: Path) -> tuple[dict[str, Any], str, int]:
    """The contents of both entries, and how long the flatbuffer before them is."""
    try:
        with zipfile.ZipFile(io.BytesIO(whole)) as archive:
            length = min(entry.header_offset for entry in archive.infolist())
            config_text = _text(archive, CONFIG_ENTRY)
            content = dict(json.loads(_text(archive, CARD_ENTRY)))
    except _DAMAGE as error:
        raise InputError(
            f"{path}: isn't a whole model file of `dlir-tf export --format tflite` "
            "(another program's, or damaged); copy it again, or export a model folder"
        ) from error
    return content, config_text, length
