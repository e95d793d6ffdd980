"""`dlir-tf export --format tflite`."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dlir_tf.errors import InputError

if TYPE_CHECKING:
    from dlir_tf.export.tflite.parity import TFLiteParity

PRECISIONS = ("float32", "float16", "int8")
_SAVEDMODEL_OPTIONS = ("name", "version", "xla")


def tflite_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that only this format has; `None` where they aren't given."""
    shape = click.option(
        "--shape",
        metavar="N,N,N",
        help="tflite: voxels per axis of the working grid, such as 160,192,160; "
        "smaller images are padded to it, larger ones can't be registered.",
    )
    precision = click.option(
        "--precision",
        type=click.Choice(PRECISIONS),
        help="tflite: of the weights; int8 takes a quarter of the room.  "
        "[default: float32]",
    )
    return shape(precision(command))


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
    model: Path, output: Path, *, shape: str | None, precision: str | None
) -> None:
    """Exports a model folder to one file and says how exact it is."""
    from dlir_tf.config import read_config
    from dlir_tf.export.tflite.options import check_shape, parse_shape
    from dlir_tf.files import check_output
    from dlir_tf.models.folder_files import CONFIG_FILE, check_model_folder
    from dlir_tf.models.litert_file import SUFFIX

    _refuse_options_of_a_savedmodel()
    if shape is None:
        raise InputError(
            "--shape: --format tflite needs the shape of the working grid, voxels per "
            "axis, such as --shape 160,192,160"
        )
    size = parse_shape(shape)
    check_model_folder(model)
    check_shape(size, read_config(model / CONFIG_FILE))
    check_output(output, (SUFFIX,), new=True)

    from dlir_tf.cli.quiet import load_keras, silence_warnings

    load_keras()
    silence_warnings()
    from dlir_tf.errors import ExportError
    from dlir_tf.export.tflite.file import export_tflite
    from dlir_tf.models.folder import load_model

    precision = precision or "float32"
    loaded = load_model(model)
    try:
        parity = export_tflite(loaded, output, shape=size, precision=precision)
    except ExportError as error:
        raise click.ClickException(f"{model}: {error}; nothing was written") from error
    click.echo(output)
    num_weights = sum(weight.shape.num_elements() for weight in loaded.network.weights)
    click.echo(_figures(output, parity, num_weights, precision))


def _refuse_options_of_a_savedmodel() -> None:
    context = click.get_current_context()
    for name in _SAVEDMODEL_OPTIONS:
        source = context.get_parameter_source(name)
        if source is click.core.ParameterSource.COMMANDLINE:
            raise InputError(
                f"--{name}: only for --format savedmodel; a .tflite file is named by "
                "--output"
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
