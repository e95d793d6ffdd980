"""What `dlir-tf info` does."""

from pathlib import Path

import click
import yaml

from dlir_tf.cli.work.quiet import load_keras
from dlir_tf.config import (
    Config,
    dump_config,
    load_config,
    preset_names,
    preset_text,
    read_config,
)
from dlir_tf.errors import ExportError, InputError
from dlir_tf.models.folder_files import CONFIG_FILE, check_model_folder
from dlir_tf.models.litert_file import read_model_file
from dlir_tf.models.loading import is_litert


def run(
    model: Path | None, preset: str | None, config: Path | None, exportable: bool
) -> None:
    """Prints what the options ask for."""
    given = [
        f"--{name}"
        for name, value in (("model", model), ("preset", preset), ("config", config))
        if value is not None
    ]
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} exclude each other; give one of them")
    if exportable:
        _say_whether_exportable(model, preset, config)
    elif preset is not None:
        click.echo(preset_text(preset), nl=False)
    elif model is not None:
        click.echo(_describe_model(model), nl=False)
    elif config is not None:
        click.echo(dump_config(read_config(config)), nl=False)
    else:
        for name in preset_names():
            click.echo(f"{name:14} {load_config(name).description}")


def _describe_model(path: Path) -> str:
    """The config of a model as YAML, its provenance as comments.

    So the whole is a config to train another model from. No TensorFlow is needed.
    """
    config, details = _read_model(path)
    comments = yaml.safe_dump(details, sort_keys=False)
    return dump_config(config) + "".join(
        f"# {line}\n" for line in comments.splitlines()
    )


def _read_model(path: Path) -> tuple[Config, dict[str, object]]:
    """The config of a model folder or file, and what else is known of it."""
    if is_litert(path):
        _, card = read_model_file(path)
        form = {"shape": list(card.shape), "precision": card.precision}
        return card.config, {**form, "provenance": card.provenance}
    provenance = check_model_folder(path)
    return read_config(path / CONFIG_FILE), {"provenance": provenance}


def _say_whether_exportable(
    model: Path | None, preset: str | None, config: Path | None
) -> None:
    if model is not None:
        name, chosen = str(model), _read_model(model)[0]
    elif preset is not None:
        name, chosen = preset, load_config(preset)
    elif config is not None:
        name, chosen = str(config), read_config(config)
    else:
        raise InputError("--exportable: say of what, by --preset, --config or --model")

    load_keras()
    from dlir_tf.export.tflite.convert import check_convertible

    try:
        check_convertible(chosen)
    except ExportError as error:
        raise click.ClickException(
            f"{name}: can't be exported as TFLite: {error}"
        ) from error
    multiple = ",".join(map(str, chosen.multiple))
    click.echo(
        f"{name}: can be exported as TFLite with built-in operations only, for shapes "
        f"that are multiples of {multiple}"
    )
