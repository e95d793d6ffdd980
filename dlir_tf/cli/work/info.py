"""What `dlir-tf info` does."""

import textwrap
from pathlib import Path

import click
import yaml

from dlir_tf.automatic import choose_for_pair
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
from dlir_tf.models.card import ModelCard
from dlir_tf.models.folder_files import CONFIG_FILE, check_model_folder
from dlir_tf.models.litert_file import read_model_file
from dlir_tf.models.loading import is_litert
from dlir_tf.models.names import (
    GENERAL,
    find_model,
    general_ranks,
    is_name,
    one_folder,
    shipped_names,
)
from dlir_tf.pairs.large import at_lower_resolution
from dlir_tf.pairs.loading import load_pair
from dlir_tf.pairs.manifest import Pair


def run(
    named: str | Path | None,
    model: str | Path | None,
    preset: str | None,
    config: Path | None,
    pair: tuple[Path, Path] | None,
    exportable: bool,
) -> None:
    """Prints what the options ask for."""
    if named is not None and model is not None:
        raise InputError(f"{named} and --model are both a model; give one of them")
    model = named if model is None else model
    given = [
        f"--{name}"
        for name, value in (
            ("model", model),
            ("preset", preset),
            ("config", config),
            ("pair", pair),
        )
        if value is not None
    ]
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} exclude each other; give one of them")
    if exportable:
        _say_whether_exportable(model, preset, config)
    elif pair is not None:
        click.echo(_chosen_for(*pair), nl=False)
    elif preset is not None:
        click.echo(preset_text(preset), nl=False)
    elif model is not None:
        click.echo(_describe_model(model), nl=False)
    elif config is not None:
        click.echo(dump_config(read_config(config)), nl=False)
    else:
        click.echo(_models_and_presets(), nl=False)


def _models_and_presets() -> str:
    """All that needs no file: models that ship, and presets."""
    models = {name: ModelCard.of(name).summary for name in shipped_names()}
    if ranks := general_ranks():
        parts = " or ".join(find_model(GENERAL, ndim).name for ndim in ranks)
        models[GENERAL] = f"{parts}, by the rank of the images"
    presets = {name: load_config(name).description for name in preset_names()}
    width = max(map(len, (*models, *presets)), default=0)
    lines = []
    if models:
        lines += ["Models that ship, for --model:", *_listed(models, width), ""]
    lines += ["Presets, for --config and --preset:", *_listed(presets, width)]
    return "\n".join(lines) + "\n"


def _listed(what: dict[str, str], width: int) -> list[str]:
    return [f"{name:{width}} {text}" for name, text in what.items()]


def _chosen_for(fixed: Path, moving: Path) -> str:
    """The config that is chosen for a pair as YAML, with the reasons as comments."""
    load_keras()
    place = f"{fixed} and {moving}"
    pair = load_pair(Pair(fixed, moving, place))
    try:
        choice = choose_for_pair(*map(at_lower_resolution, (pair.fixed, pair.moving)))
    except InputError as error:  # it knows images, not their files
        raise error.within(place) from error
    lines = textwrap.wrap(f"Chosen for {fixed.name} and {moving.name}:", 86)
    for reason in choice.reasons:
        lines += textwrap.wrap(f"- {reason}", 86, subsequent_indent="  ")
    return "".join(f"# {line}\n" for line in lines) + dump_config(choice.config)


def _describe_model(model: str | Path) -> str:
    """The config of a model as YAML, its provenance as comments.

    So the whole is a config to train another model from. No TensorFlow is needed.
    """
    config, details = _read_model(model)
    attribution = details.pop("attribution", "")
    comments = yaml.safe_dump(details, sort_keys=False, allow_unicode=True, width=80)
    lines = f"{comments}\n{attribution}".rstrip().splitlines()
    return dump_config(config) + "".join(f"# {line}".rstrip() + "\n" for line in lines)


def _read_model(model: str | Path) -> tuple[Config, dict[str, object]]:
    """The config of a model, whatever it's kept in, and what else is known of it."""
    if is_litert(model):
        _, file = read_model_file(Path(model))
        form = {"shape": list(file.shape), "precision": file.precision}
        return file.config, {**form, "provenance": file.provenance}
    folder = one_folder(model)
    if is_name(model):
        card = ModelCard.of(folder.name)
        shipped = {
            "model": f"{card.name}, {card.summary}",
            "files": str(folder),
            "attribution": card.attribution,
        }
        return card.config, {**shipped, "provenance": card.provenance}
    provenance = check_model_folder(folder)
    return read_config(folder / CONFIG_FILE), {"provenance": provenance}


def _say_whether_exportable(
    model: str | Path | None, preset: str | None, config: Path | None
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
