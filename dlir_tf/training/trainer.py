"""Training: from a list of pairs to a model folder."""

import contextlib
import io
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import keras
import numpy as np

from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.models.folder import Model, weights_digest
from dlir_tf.models.folder_files import CHECKPOINT_FILE
from dlir_tf.pairs.digests import data_digest, distinct_files, file_digests
from dlir_tf.pairs.manifest import Pair
from dlir_tf.synthesis.atlases import arrays_digest
from dlir_tf.training.checkpoint import (
    Checkpoint,
    load_checkpoint,
    write_checkpoint,
)
from dlir_tf.training.devices import precision_name, training_strategy
from dlir_tf.training.initial_weights import check_stages, stacked_weights
from dlir_tf.training.output import CACHE_FOLDER, check_output_folder, claimed
from dlir_tf.training.phases import training_phases
from dlir_tf.training.recipe import Recipe
from dlir_tf.training.reporter import Reporter as Reporter
from dlir_tf.training.reporter import Silent
from dlir_tf.training.session import Session
from dlir_tf.training.source import Source
from dlir_tf.training.synthetic import SyntheticSource
from dlir_tf.training.workers import Workers, told_of_others

if TYPE_CHECKING:
    from dlir_tf.training.store import PairStore


def train(
    config: Config,
    pairs: list[Pair],
    output: Path,
    *,
    validation: list[Pair] | None = None,
    steps: int | None = None,
    seed: int = 0,
    resume: bool = False,
    reporter: Reporter | None = None,
    initial: Model | None = None,
    atlases: Sequence[np.ndarray] = (),
    workers: Workers | None = None,
) -> Model:
    """Trains a model, stage by stage, without ground truth.

    Without pairs, a config with `training.synthesis` has them made. Those that are
    given are all read and checked before the first step. What happens at a step
    depends on the seed and its number alone: an interrupted training that is resumed
    arrives where an uninterrupted one does.

    Args:
        config: Stages and training settings.
        pairs: The training pairs; none to have them made.
        output: The model folder to make.
        validation: Pairs that decide which weights of a stage are kept; without
            them, the last ones are. Labels among them give Dice in the log; they,
            and landmarks, count in that decision if the config supervises by them.
        steps: Steps for every stage, instead of the config's.
        seed: From 0 to 2**32 - 1; decides initial weights, order and augmentation.
        resume: Go on with the interrupted training in `output`.
        reporter: Who is told how it goes.
        initial: A model of the same stages, whose weights it begins with; or of the
            first of them, the further ones being like its last.
        atlases: Label maps that pairs which are made show, beside random shapes; see
            `dlir_tf.synthesis.atlases`.
        workers: Processes that train this model together, on pairs that are given; all
            of them call this function alike. From `dlir_tf.training.workers.join`;
            by default this one trains alone.

    Returns:
        The trained model, which is in `output` too: the first worker writes it.

    Raises:
        InputError: If pairs are faulty or have nothing to supervise with, the folder
            is in use or can't be written, there is nothing to resume, the loss stops
            being a finite number, the initial weights are of other stages, another
            worker has ended, or the Keras backend is neither TensorFlow nor, for pairs
            that are made, JAX.
    """
    output, reporter = Path(output), reporter or Silent()
    made = not pairs and config.training.synthesis is not None
    _check(config, pairs, seed, made=made)
    if initial is not None:
        check_stages(config, initial.config, "initial weights")
    validation = validation or []
    if made and workers is not None:
        raise InputError(
            "pairs that are made are trained on by one machine alone; give --pairs"
        )
    workers = workers or Workers(None if made else training_strategy())
    with told_of_others(workers):
        digests = _digests([*pairs, *validation], workers)
        recipe = Recipe(
            config,
            phases=tuple(training_phases(config, steps)),
            seed=seed,
            precision=precision_name(config.training.mixed_precision),
            data_digest=arrays_digest(atlases) if made else data_digest(pairs, digests),
            validation_digest=data_digest(validation, digests),
            num_replicas=workers.num_replicas,
            initial_digest="" if initial is None else weights_digest(initial.network),
        )
        workers.check_same(recipe.identity)
        with _folders(output, workers) as cache:
            stored = _stored(output, recipe, workers, resume=resume)
            source: Source = (
                SyntheticSource(config, seed, atlases)
                if made
                else _pair_source(
                    config, pairs, validation, cache, seed, reporter, workers
                )
            )
            weights = (
                None
                if initial is None
                else stacked_weights(initial.network, len(config.stages))
            )
            session = Session(recipe, output, source, reporter, weights, workers)
            session.begin(stored)
            return session.run()


@contextlib.contextmanager
def _folders(output: Path, workers: Workers) -> Iterator[Path]:
    """Claims the output for the chief; yields where this worker may cache pairs.

    The others may be on machines that don't have that folder, and leave it alone.
    """
    if workers.is_chief:
        with claimed(output):
            yield output / CACHE_FOLDER
        return
    with tempfile.TemporaryDirectory(prefix="dlir-tf-") as folder:
        yield Path(folder) / CACHE_FOLDER


def _digests(pairs: list[Pair], workers: Workers) -> dict[Path, bytes]:
    """What several workers find in the files of pairs, each in a part of them."""
    if workers.num == 1:
        return {}
    found = workers.collect(file_digests(pairs, workers.own))
    files = distinct_files(pairs)
    return {f: bytes.fromhex(digest) for f, digest in zip(files, found, strict=True)}


def _stored(
    output: Path, recipe: Recipe, workers: Workers, *, resume: bool
) -> Checkpoint | None:
    """What the chief finds to go on with, which it hands over to the others."""
    stored, stream = None, io.BytesIO()
    if workers.is_chief:
        check_output_folder(output, resume=resume)
        stored = _interrupted(output, recipe) if resume else None
    if workers.num == 1:
        return stored
    if stored is not None:
        write_checkpoint(stream, stored)
    (data, *_) = workers.exchange(stream.getvalue())
    if stored is None and data:
        stored = load_checkpoint(output / CHECKPOINT_FILE, io.BytesIO(data))
    return stored


def _check(config: Config, pairs: list[Pair], seed: int, *, made: bool) -> None:
    """Refuses what no training can begin with."""
    backend = keras.backend.backend()
    if backend != "tensorflow" and not (made and backend == "jax"):
        raise InputError(
            "train: on pairs that are given, a model can only be trained under the "
            f"backend tensorflow; unset KERAS_BACKEND. Received: {backend}"
        )
    if not pairs and not made:
        raise InputError("pairs: there must be at least one to train on")
    if not 0 <= seed < 2**32:
        raise InputError(f"seed: must be from 0 to 2**32 - 1. Received: {seed}")
    # With a synthesis, it's made pairs that the config wants supervised; others are as
    # far as they can be.
    if config.training.synthesis is None:
        _check_supervision(config, pairs)


def _pair_source(
    config: Config,
    pairs: list[Pair],
    validation: list[Pair],
    cache: Path,
    seed: int,
    reporter: Reporter,
    workers: Workers,
) -> Source:
    """Reads and checks all pairs; needs TensorFlow."""
    from dlir_tf.training.pair_source import PairSource

    stores = _stores(config, pairs, validation, cache)
    _prepare(*stores, reporter, workers)
    return PairSource(config, seed, *stores, workers)


def _stores(
    config: Config, pairs: list[Pair], validation: list[Pair], cache: Path
) -> tuple["PairStore", "PairStore"]:
    """Of what is trained on, with what it's supervised by; and of the validation."""
    from dlir_tf.training.store import PairStore

    supervision = config.training.supervision
    with_points = supervision.landmarks > 0
    store = PairStore(
        pairs,
        config,
        cache,
        with_labels=supervision.labels > 0,
        with_points=with_points,
    )
    validation_store = PairStore(
        validation, config, cache, with_labels=True, with_points=with_points
    )
    return store, validation_store


def _check_supervision(config: Config, pairs: list[Pair]) -> None:
    """Refuses to be supervised by what isn't there."""
    for kind, column in (("labels", "labels"), ("landmarks", "points")):
        weight = getattr(config.training.supervision, kind)
        if weight and not any(getattr(pair, f"fixed_{column}") for pair in pairs):
            raise InputError(
                f"training.supervision.{kind} is {weight:g}, but no training pair has "
                f"{kind}; name their files in the manifest's columns fixed_{column} "
                f"and moving_{column}, or set it to 0"
            )


def _interrupted(output: Path, recipe: Recipe) -> Checkpoint:
    """The training that was interrupted, if it's the same one."""
    stored = load_checkpoint(output / CHECKPOINT_FILE)
    if stored.progress.identity != recipe.identity:
        raise InputError(
            f"{output}: was trained with another config, seed, number of steps or of "
            "GPUs, precision, initial weights or atlases, or other images; resume with "
            "the same ones, or choose another --output"
        )
    return stored


def _prepare(
    store: "PairStore", validation: "PairStore", reporter: Reporter, workers: Workers
) -> None:
    sizes = [len(workers.own(len(each))) for each in (store, validation)]
    store.fill(lambda done: reporter.preparing(done, sum(sizes)), workers)
    validation.fill(
        lambda done: reporter.preparing(sizes[0] + done, sum(sizes)), workers
    )
