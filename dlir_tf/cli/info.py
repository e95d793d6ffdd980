"""`dlir-tf info`."""

from pathlib import Path

import click


@click.command("info")
@click.option(
    "--model", type=click.Path(path_type=Path), help="Model folder to describe."
)
@click.option("--preset", metavar="NAME", help="Preset to print, as YAML.")
def command(model: Path | None, preset: str | None) -> None:
    """Describe a model, or print a preset to start from.

    Without options, the presets are listed. What is printed of a model or a preset
    is a config for `dlir-tf train`.

    Example:
    dlir-tf info --preset cardiac-cine > my-config.yaml
    """
    from dlir_tf.config import load_config, preset_names, preset_text
    from dlir_tf.errors import InputError

    if model is not None and preset is not None:
        raise InputError("--model and --preset exclude each other; give one of them")
    if preset is not None:
        click.echo(preset_text(preset), nl=False)
    elif model is not None:
        click.echo(_describe_model(model), nl=False)
    else:
        for name in preset_names():
            click.echo(f"{name:14} {load_config(name).description}")


def _describe_model(folder: Path) -> str:
    """The config of a model folder as YAML, its provenance as comments.

    So the whole is a config to train another model from. No TensorFlow is needed.
    """
    import yaml

    from dlir_tf.config import dump_config, read_config
    from dlir_tf.model_files import CONFIG_FILE, check_model_folder

    provenance = check_model_folder(folder)
    config = dump_config(read_config(folder / CONFIG_FILE))
    details = yaml.safe_dump({"provenance": provenance}, sort_keys=False)
    return config + "".join(f"# {line}\n" for line in details.splitlines())
