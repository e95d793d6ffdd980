"""What `dlir-tf export` does."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlir_tf.cli.work.export_tflite import export_file, only_for_tflite
from dlir_tf.cli.work.quiet import load_keras
from dlir_tf.config import read_config
from dlir_tf.errors import ExportError, InputError
from dlir_tf.export.exportable import check_exportable
from dlir_tf.export.version_folder import check_version_folder
from dlir_tf.models.folder_files import CONFIG_FILE, check_model_folder
from dlir_tf.models.names import one_folder

if TYPE_CHECKING:
    from dlir_tf.export.parity import Parity

DEFAULT_OUTPUT = Path("export")


def run(
    model: str | Path,
    output: Path | None,
    file_format: str,
    name: str,
    version: int,
    xla: bool,
    max_voxels: int | None,
    **tflite: str | None,
) -> None:
    """Exports a model folder and says how exact, large and fast the export is."""
    if file_format == "tflite":
        export_file(model, output or Path("model.tflite"), **tflite)
        return
    only_for_tflite(**tflite)
    output = output or DEFAULT_OUTPUT
    source = one_folder(model)
    check_model_folder(source)
    config = read_config(source / CONFIG_FILE)
    try:
        check_exportable(config)
    except InputError as error:
        raise error.within(Path(model)) from error
    check_version_folder(output, name, version, config)

    load_keras()
    from dlir_tf.export.savedmodel import export_savedmodel
    from dlir_tf.models.folder import load_model
    from dlir_tf.pairs.size import MAX_SERVED_VOXELS

    loaded = load_model(source)
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
