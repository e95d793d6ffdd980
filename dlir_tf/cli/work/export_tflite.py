"""What `dlir-tf export --format tflite` does."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlir_tf.cli.work.quiet import load_keras
from dlir_tf.config import read_config
from dlir_tf.errors import ExportError, InputError
from dlir_tf.export.tflite.options import check_shape, parse_shape
from dlir_tf.files import check_output
from dlir_tf.models.folder_files import CONFIG_FILE, check_model_folder
from dlir_tf.models.litert_file import SUFFIX
from dlir_tf.models.names import one_folder

if TYPE_CHECKING:
    from dlir_tf.export.tflite.parity import TFLiteParity

_NAMED = "a .tflite file is named by --output"
_SAVEDMODEL_OPTIONS = {
    "name": _NAMED,
    "version": _NAMED,
    "xla": "LiteRT runs without XLA",
    "max_voxels": "a .tflite file takes one shape, which --shape says",
}


def only_for_tflite(**options: str | None) -> None:
    """Refuses options of this format that were given with another one.

    Raises:
        InputError: Of the first of them.
    """
    for name, value in options.items():
        if value is not None:
            raise InputError(
                f"--{name}: only for --format tflite; a SavedModel takes any shape, in "
                "float32"
            )


def export_file(
    model: str | Path, output: Path, *, shape: str | None, precision: str | None
) -> None:
    """Exports a model folder to one file and says how exact it is."""
    _refuse_options_of_a_savedmodel()
    if shape is None:
        raise InputError(
            "--shape: --format tflite needs the shape of the working grid, voxels per "
            "axis, such as --shape 160,192,160"
        )
    size = parse_shape(shape)
    source = one_folder(model, len(size))
    check_model_folder(source)
    check_shape(size, read_config(source / CONFIG_FILE))
    check_output(output, (SUFFIX,), new=True)

    load_keras()
    from dlir_tf.export.tflite.file import export_tflite
    from dlir_tf.models.folder import load_model

    precision = precision or "float32"
    loaded = load_model(source)
    try:
        parity = export_tflite(loaded, output, shape=size, precision=precision)
    except ExportError as error:
        raise click.ClickException(f"{model}: {error}; nothing was written") from error
    click.echo(output)
    num_weights = sum(weight.shape.num_elements() for weight in loaded.network.weights)
    click.echo(_figures(output, parity, num_weights, precision))


def _refuse_options_of_a_savedmodel() -> None:
    context = click.get_current_context()
    for name, why in _SAVEDMODEL_OPTIONS.items():
        source = context.get_parameter_source(name)
        if source is click.core.ParameterSource.COMMANDLINE:
            raise InputError(
                f"--{name.replace('_', '-')}: only for --format savedmodel; {why}"
            )


def _figures(
    path: Path, parity: "TFLiteParity", num_weights: int, precision: str
) -> str:
    """What was measured, one line each."""
    return (
        f"largest differences, LiteRT in a fresh process against the model: {parity}\n"
        f"size: {path.stat().st_size / 1e6:.2f} MB for {num_weights} weights in "
        f"{precision}\n"
        f"latency of `parameters`: {parity.parameters_seconds * 1e3:.0f} ms, peak "
        f"memory {parity.parameters_mb:.0f} MB\n"
        f"latency of `register`: {parity.register_seconds * 1e3:.0f} ms, peak memory "
        f"{parity.register_mb:.0f} MB"
    )
