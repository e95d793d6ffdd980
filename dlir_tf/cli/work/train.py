"""What `dlir-tf train` does."""

from pathlib import Path

import click

from dlir_tf.cli.work.progress import TrainingProgress
from dlir_tf.cli.work.quiet import load_keras
from dlir_tf.config import load_config
from dlir_tf.errors import InputError, WriteError
from dlir_tf.files import make_folder
from dlir_tf.models.folder_files import CHECKPOINT_FILE
from dlir_tf.pairs.manifest import read_manifest
from dlir_tf.phantoms import write_phantoms


def run(
    config: str | None,
    pairs: Path | None,
    validation: Path | None,
    output: Path,
    steps: int | None,
    seed: int,
    resume: bool,
    mixed_precision: bool,
) -> None:
    """Trains a model and prints its folder."""
    if config is None and pairs is not None:
        raise InputError(
            "--pairs needs --config: choose the preset closest to your images "
            "(dlir-tf info lists them) or write a file of your own"
        )
    if pairs is None and validation is not None:
        raise InputError("--validation needs --pairs: what is trained on")
    chosen = load_config(config or "demo")
    if mixed_precision:
        training = chosen.training.model_copy(update={"mixed_precision": True})
        chosen = chosen.model_copy(update={"training": training})
    if pairs is None:
        pairs, validation = _phantoms(output, seed, resume=resume)
    training_pairs = read_manifest(pairs)
    validation_pairs = read_manifest(validation) if validation else []

    load_keras()
    from dlir_tf.training import train

    try:
        with TrainingProgress() as progress:
            train(
                chosen,
                training_pairs,
                output,
                validation=validation_pairs,
                steps=steps,
                seed=seed,
                resume=resume,
                reporter=progress,
            )
    except (KeyboardInterrupt, WriteError):
        if (output / CHECKPOINT_FILE).is_file():
            click.echo("The same command with --resume goes on from here.", err=True)
        raise
    click.echo(output)


def _phantoms(output: Path, seed: int, *, resume: bool) -> tuple[Path, Path]:
    """Generates the demo's images beside the model, or finds them there."""
    load_keras()  # which dlir_tf.training needs
    from dlir_tf.training.output import check_output_folder, claimed

    with claimed(output):
        check_output_folder(output, resume=resume)
    folder = output.parent / f"{output.name}-phantoms-seed{seed}"
    train_csv, test_csv = folder / "train.csv", folder / "test.csv"
    found = train_csv.is_file() and test_csv.is_file()
    click.echo(
        "No --pairs given: training on generated phantoms of beating hearts, "
        f"{'found in' if found else 'written to'} {folder}.",
        err=True,
    )
    if not found:
        make_folder(folder)
        write_phantoms(folder, num_train=16, num_test=4, seed=seed)
    return train_csv, test_csv
