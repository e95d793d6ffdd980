"""What `dlir-tf train` does."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dlir_tf.cli.work.progress import TrainingProgress
from dlir_tf.cli.work.quiet import load_keras
from dlir_tf.compute.machines import Cluster, find_cluster
from dlir_tf.config import Config, load_config
from dlir_tf.errors import InputError, WriteError
from dlir_tf.files import make_folder
from dlir_tf.models.folder_files import CHECKPOINT_FILE
from dlir_tf.models.names import find_model
from dlir_tf.pairs.manifest import read_manifest
from dlir_tf.phantoms import write_phantoms
from dlir_tf.synthesis.atlases import read_atlases

if TYPE_CHECKING:
    from dlir_tf.models.folder import Model


def run(
    config: str | None,
    pairs: Path | None,
    validation: Path | None,
    output: Path,
    initial_weights: str | Path | None,
    atlases: Path | None,
    channel: int | None,
    steps: int | None,
    seed: int,
    resume: bool,
    mixed_precision: bool,
    alone: bool,
) -> None:
    """Trains a model and prints its folder."""
    cluster = None if alone else _cluster(pairs)
    chosen = _config(config, pairs, validation, channel)
    if mixed_precision:
        training = chosen.training.model_copy(update={"mixed_precision": True})
        chosen = chosen.model_copy(update={"training": training})
    made = pairs is None and chosen.training.synthesis is not None
    if atlases is not None and not made:
        raise InputError(
            "--atlases is for pairs that are made: leave --pairs out, and choose a "
            "config with training.synthesis, such as general"
        )
    if pairs is None and not made:
        pairs, validation = _phantoms(output, seed, resume=resume)
    training_pairs = read_manifest(pairs) if pairs else []
    validation_pairs = read_manifest(validation) if validation else []
    maps = [] if atlases is None else read_atlases(atlases, chosen.ndim)

    load_keras()
    from dlir_tf.training import train
    from dlir_tf.training.reporter import Silent
    from dlir_tf.training.workers import join

    workers = join(cluster)
    is_chief = workers is None or workers.is_chief
    initial = _initial_model(initial_weights, chosen)
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
                reporter=progress if is_chief else Silent(),
                initial=initial,
                atlases=maps,
                workers=workers,
            )
    except (KeyboardInterrupt, WriteError):
        if is_chief and (output / CHECKPOINT_FILE).is_file():
            click.echo("The same command with --resume goes on from here.", err=True)
        raise
    if is_chief:
        click.echo(output)


def _cluster(pairs: Path | None) -> Cluster | None:
    """The workers that train together, if this process is one of several."""
    cluster = find_cluster(os.environ)
    if cluster is None:
        return None
    if pairs is None:
        raise InputError(
            f"{cluster.source} names {len(cluster.addresses)} workers, and pairs that "
            "are made are trained on by one machine alone; give --pairs, or --alone"
        )
    click.echo(
        f"Worker {cluster.index} of {len(cluster.addresses)}, named by "
        f"{cluster.source}; --alone has it train alone.",
        err=True,
    )
    # When a worker goes, TensorFlow tells the others so in many lines; ours is enough.
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") == "2":
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    return cluster


def _config(
    name: str | None, pairs: Path | None, validation: Path | None, channel: int | None
) -> Config:
    """The config that was asked for, the demo's if nothing was."""
    if name is None and pairs is not None:
        raise InputError(
            "--pairs needs --config: choose the preset closest to your images "
            "(dlir-tf info lists them) or write a file of your own"
        )
    if pairs is None and validation is not None:
        raise InputError("--validation needs --pairs: what is trained on")
    if pairs is None and channel is not None:
        raise InputError("--channel needs --pairs: images that have several")
    chosen = load_config(name or "demo")
    if channel is not None:
        chosen = chosen.model_copy(update={"channel": channel})
    return chosen


def _initial_model(model: str | Path | None, config: Config) -> "Model | None":
    """The model whose weights a training begins with, if they are of its stages."""
    if model is None:
        return None
    from dlir_tf.models.folder import load_model
    from dlir_tf.training.initial_weights import check_stages

    initial = load_model(find_model(model, config.ndim))
    check_stages(config, initial.config, str(model))
    return initial


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
