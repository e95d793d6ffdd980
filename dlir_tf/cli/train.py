"""`dlir-tf train`."""

from pathlib import Path

import click

from dlir_tf.cli.options import Command, allow_elsewhere_option


@click.command("train", cls=Command)
@click.option(
    "--config",
    default=None,
    metavar="PRESET|FILE",
    help="Preset name or YAML file. [default: demo without --pairs, needed with it]",
)
@click.option(
    "--pairs",
    type=click.Path(path_type=Path),
    help="CSV manifest: fixed,moving per line, or image per line for all ordered "
    "pairs; optional columns fixed_labels, moving_labels, fixed_points, "
    "moving_points, fixed_mask, moving_mask (or labels, points, mask). Without it, "
    "generated phantoms are used.",
)
@click.option(
    "--validation",
    type=click.Path(path_type=Path),
    help="CSV manifest of pairs that decide which weights are kept.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    default=Path("model"),
    show_default=True,
    help="Model folder to make.",
)
@click.option(
    "--steps",
    type=click.IntRange(min=1),
    help="Training steps of every stage, instead of the config's; joint_steps are at "
    "most as many.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    default=0,
    show_default=True,
    help="Decides initial weights, order, augmentation, and which phantoms are made.",
)
@click.option(
    "--resume", is_flag=True, help="Go on with the interrupted training in --output."
)
@click.option(
    "--mixed-precision",
    is_flag=True,
    help="Convolutions in half precision; faster on recent GPUs.",
)
@allow_elsewhere_option
def command(
    config: str | None,
    pairs: Path | None,
    validation: Path | None,
    output: Path,
    steps: int | None,
    seed: int,
    resume: bool,
    mixed_precision: bool,
) -> None:
    """Train a model on pairs of images, without ground truth.

    Stage by stage, and all pairs are checked before the first step. An interrupted
    training goes on with --resume and the same options. Masks in the manifests say
    what counts in the similarity; labels give the Dice of the validation. They, and
    landmarks, are trained on only where the config's training.supervision says so.

    Example:
    dlir-tf train --config cardiac-cine --pairs train.csv --validation val.csv
    """
    from dlir_tf.config import load_config
    from dlir_tf.errors import InputError, WriteError
    from dlir_tf.models.folder_files import CHECKPOINT_FILE
    from dlir_tf.pairs.manifest import read_manifest

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

    from dlir_tf.cli.quiet import load_keras

    load_keras()
    from dlir_tf.cli.progress import TrainingProgress
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
    from dlir_tf.cli.quiet import load_keras

    load_keras()  # which dlir_tf.training needs
    from dlir_tf.files import make_folder
    from dlir_tf.phantoms import write_phantoms
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
