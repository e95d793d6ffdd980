"""What is said of a derivative dataset as a whole, in its top folder."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dlir_tf._version import __version__
from dlir_tf.cohort.bids.links import DESCRIPTION, Links, read_description
from dlir_tf.errors import InputError
from dlir_tf.files import replacing
from dlir_tf.pairs.manifest import Pair

BIDS_VERSION = "1.10.0"
_NAME = "dlir-tf"
_IGNORED = ".bidsignore"
# Lines that others wrote stay what they are, whatever their encoding.
_ANY = {"encoding": "utf-8", "errors": "surrogateescape"}
# What BIDS has no names for yet, as fMRIPrep tells validators, too.
_LINES = (
    *("*_xfm.*", "*_jacobian.*", "*_points.*", "*_pair.json", "*_report.json"),
    *("*_figure.png", "*_thumbnail.png", "*_page.htm*", "index.html", "summary.csv"),
)


def check_dataset(output: Path) -> None:
    """Refuses to write into a dataset that something else made.

    Args:
        output: The folder of the cohort.

    Raises:
        InputError: If it has a description that names other makers alone.
    """
    if not (output / DESCRIPTION).is_file():
        return
    makers = _makers(read_description(output) or {})
    if not any(maker.get("Name") == _NAME for maker in makers):
        raise InputError(
            f"is a dataset already, which dlir-tf didn't make ({DESCRIPTION} says so); "
            f"choose another --output, such as {output / 'derivatives' / _NAME}",
            place=output,
        )


def write_dataset(output: Path, pairs: Sequence[Pair]) -> None:
    """Writes the dataset's description, and what validators should leave alone.

    What is there already and says something else stays in it.

    Args:
        output: The folder of the cohort.
        pairs: All that are registered.

    Raises:
        InputError: If it can't be written.
    """
    old = read_description(output) or {}
    links = Links(output, pairs).as_json()
    others = [maker for maker in _makers(old) if maker.get("Name") != _NAME]
    new = {"Name": f"{_NAME}: registered images"} | old
    new |= {
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [*others, {"Name": _NAME, "Version": __version__}],
        "DatasetLinks": links,
        "SourceDatasets": [{"URL": where} for where in links.values()],
    }
    if new != old:
        text = json.dumps(new, indent=2, ensure_ascii=False)
        with replacing(output / DESCRIPTION) as unfinished:
            unfinished.write_text(text + "\n", encoding="utf-8")
    _write_ignored(output / _IGNORED)


def _write_ignored(path: Path) -> None:
    there = path.read_text(**_ANY).splitlines() if path.is_file() else []
    missing = [line for line in _LINES if line not in there]
    if missing:
        with replacing(path) as unfinished:
            unfinished.write_text("\n".join([*there, *missing]) + "\n", **_ANY)


def _makers(description: dict[str, Any]) -> list[dict[str, Any]]:
    makers = description.get("GeneratedBy")
    makers = makers if isinstance(makers, list) else []
    return [maker for maker in makers if isinstance(maker, dict)]
