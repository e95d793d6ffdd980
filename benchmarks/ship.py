"""Puts a trained model among those that ship with the package.

python benchmarks/ship.py --model trained --name cardiac-cine --licence Apache-2.0
    --training-data "..." --command "..." --attribution ATTRIBUTION.md

Config, weights and training log are taken from the model folder; its provenance is
told what it was trained on, by which commands, and under which licence it's given away.
"""

import argparse
import json
import shutil
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.files import make_folder
from dlir_tf.models.card import ATTRIBUTION_FILE, bytes_of
from dlir_tf.models.folder_files import (
    CONFIG_FILE,
    LOG_FILE,
    PROVENANCE_FILE,
    WEIGHTS_FILE,
    check_model_folder,
)
from dlir_tf.models.names import MOST_BYTES, SHIPPED


def main() -> None:
    """Copies what is needed, and says how much room is left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", type=Path, required=True, help="its folder")
    parser.add_argument("--name", required=True, help="what it will be asked for by")
    parser.add_argument("--licence", required=True, help="of the weights")
    parser.add_argument("--training-data", required=True, help="in a few words")
    parser.add_argument("--command", action="append", default=[], help="made it")
    parser.add_argument("--attribution", type=Path, help="file: whom to name")
    options = parser.parse_args()
    ship(
        options.model,
        SHIPPED / options.name,
        licence=options.licence,
        training_data=options.training_data,
        commands=options.command,
        attribution=options.attribution,
    )
    print(f"{bytes_of() / 1e6:.2f} of {MOST_BYTES / 1e6:.0f} MB")


def ship(
    model: Path,
    folder: Path,
    *,
    licence: str,
    training_data: str,
    commands: list[str],
    attribution: Path | None = None,
) -> None:
    """Makes the folder that ships from a trained one."""
    provenance = check_model_folder(model)
    made = {"licence": licence, "training_data": training_data, "commands": commands}
    make_folder(folder)
    for name in (CONFIG_FILE, WEIGHTS_FILE, LOG_FILE):
        shutil.copyfile(model / name, folder / name)
    if attribution is not None:
        shutil.copyfile(attribution, folder / ATTRIBUTION_FILE)
    text = json.dumps({**made, **provenance}, indent=2, ensure_ascii=False)
    (folder / PROVENANCE_FILE).write_text(f"{text}\n", encoding="utf-8")
    size = bytes_of(folder)
    if size > MOST_BYTES:
        raise InputError(f"{folder}: takes {size} bytes, more than {MOST_BYTES}")


if __name__ == "__main__":
    main()
