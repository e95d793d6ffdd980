"""`dlir-tf export`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlir_tf.cli.export_tflite import only_for_tflite, tflite_options
from dlir_tf.cli.options import Command, OneOf, model_option
from dlir_tf.errors import InputError

if TYPE_CHECKING:
    from dlir_tf.export.parity import Parity

DEFAULT_OUTPUT = Path("export")


@click.command("export", cls=Command)
@model_option
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Folder of all exported models, made if it isn't there; for tflite, the file. "
    "[default: export; model.tflite]",
)
@click.option(
    "--format",
    "file_format",
    type=OneOf(["savedmodel", "tflite"]),
    required=True,
    help="savedmodel: for TensorFlow Serving and whatever else runs TensorFlow. "
    "tflite: one file for LiteRT, which needs no TensorFlow.",
)
@click.option(
    "--name",
    default="dlir",
    show_default=True,
    help="The model's name for the server.",
)
@click.option(
    "--version",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="The version; a server takes the highest one.",
)
@click.option(
    "--xla",
    is_flag=True,
    help="Compile the transforms by XLA: two or three times as fast, but the server "
    "must have XLA.",
)
@click.option(
    "--max-voxels",
    type=click.IntRange(min=1),
    help="The most voxels that the working grid of a request may have, for savedmodel: "
    "a limit on the server's memory.  [default: 134217728, 512 along each axis]",
)
@tflite_options
def command(
    model: Path,
    output: Path | None,
    file_format: str,
    name: str,
    version: int,
    xla: bool,
    max_voxels: int | None,
    **tflite: str | None,
) -> None:
    """Export a model for serving outside Python.

    Writes OUTPUT/NAME/VERSION, the folder that TensorFlow Serving expects, with a
    model_card.md that says how to call it; or one .tflite file. The SavedModel takes
    images as they were stored, with their affines. What is exported is loaded in a
    fresh process, without dlir-tf, and compared with dlir-tf's own results; if they
    differ, nothing is written.

    Example:
    dlir-tf export --model model --output export --format savedmodel
    """
    if file_format == "tflite":
        if max_voxels is not None:
            raise InputError(
                "--max-voxels: is for --format savedmodel; a .tflite file takes one "
                "shape, which --shape says"
            )
        from dlir_tf.cli.export_tflite import export_file

        export_file(model, output or Path("model.tflite"), **tflite)
        return
    only_for_tflite(**tflite)
    output = output or DEFAULT_OUTPUT
    from dlir_tf.config import read_config
    from dlir_tf.export.version_folder import check_version_folder
    from dlir_tf.models.folder_files import CONFIG_FILE, check_model_folder

    check_model_folder(model)
    config = read_config(model / CONFIG_FILE)
    check_version_folder(output, name, version, config)

    from dlir_tf.cli.quiet import load_keras

    load_keras()
    from dlir_tf.errors import ExportError
    from dlir_tf.export.savedmodel import export_savedmodel
    from dlir_tf.models.folder import load_model
    from dlir_tf.pairs.size import MAX_SERVED_VOXELS

    loaded = load_model(model)
    try:
        folder, parity = export_savedmodel(
            loaded,
            output,
            name=name,
            version=version,
            xla=xla,
            max_voxels=MAX_SERVED_VOXELS if max_voxels is None else max_voxels,
        )
    except ExportError as error:
        raise click.ClickException(f"{model}: {error}; nothing was written") from error
    click.echo(folder)
    click.echo(_figures(folder, parity))


def _figures(folder: Path, parity: "Parity") -> str:
    """What was measured, one line each."""
    num_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    lines = [
        f"largest differences, fresh process against register(): {parity}",
        f"size: {num_bytes / 1e6:.2f} MB",
        f"peak memory: {parity.peak_mb:.0f} MB, TensorFlow included",
    ]
    for timing in parity.timings:
        fixed, moving = ("×".join(map(str, s)) for s in (timing.fixed, timing.moving))
        lines.append(
            f"latency: {timing.seconds * 1e3:.0f} ms on the CPU, the first call "
            f"{timing.first_seconds:.1f} s, for {fixed} and {moving} (batch×size)"
        )
    return "\n".join(lines)
