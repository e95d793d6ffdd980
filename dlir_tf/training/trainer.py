"""Training: from a list of pairs to a model folder."""

from pathlib import Path

import keras

from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.models.folder import Model
from dlir_tf.models.folder_files import CHECKPOINT_FILE
from dlir_tf.pairs.manifest import Pair, data_digest
from dlir_tf.training.checkpoint import Checkpoint, load_checkpoint
from dlir_tf.training.devices import precision_name, training_strategy
from dlir_tf.training.output import CACHE_FOLDER, check_output_folder, claimed
from dlir_tf.training.phases import training_phases
from dlir_tf.training.recipe import Recipe
from dlir_tf.training.reporter import Reporter as Reporter
from dlir_tf.training.reporter import Silent
from dlir_tf.training.session import Session
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
) -> Model:
    """Trains a model, stage by stage, without ground truth.

    All pairs are read and checked before the first step. What happens at a step
    depends on the seed and its number alone: an interrupted training that is
    resumed arrives where an uninterrupted one does.

    Args:
        config: Stages and training settings.
        pairs: The training pairs.
        output: The model folder to make.
        validation: Pairs that decide which weights of a stage are kept; without
            them, the last ones are. Labels among them give Dice in the log; they,
            and landmarks, count in that decision if the config supervises by them.
        steps: Steps for every stage, instead of the config's.
        seed: From 0 to 2**32 - 1; decides initial weights, order and augmentation.
        resume: Go on with the interrupted training in `output`.
        reporter: Who is told how it goes.

    Returns:
        The trained model, which is in `output` too.

    Raises:
        InputError: If pairs are faulty or have nothing to supervise with, the folder
            is in use or can't be written, there is nothing to resume, the loss stops
            being a finite number, or the Keras backend isn't TensorFlow.
    """
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            "train: a model can only be trained under the backend tensorflow; unset "
            f"KERAS_BACKEND. Received: {keras.backend.backend()}"
        )
    output, reporter = Path(output), reporter or Silent()
    if not pairs:
        raise InputError("pairs: there must be at least one to train on")
    if not 0 <= seed < 2**32:
        raise InputError(f"seed: must be from 0 to 2**32 - 1. Received: {seed}")
    _check_supervision(config, pairs)
    validation, strategy = validation or [], training_strategy()
    recipe = Recipe(
        config,
        phases=tuple(training_phases(config, steps)),
        seed=seed,
        precision=precision_name(config.training.mixed_precision),
        data_digest=data_digest(pairs),
        validation_digest=data_digest(validation),
        num_replicas=strategy.num_replicas_in_sync,
    )
    with claimed(output):
        check_output_folder(output, resume=resume)
        stored = _interrupted(output, recipe) if resume else None
        stores = _stores(config, pairs, validation, output / CACHE_FOLDER)
        _prepare(*stores, reporter)
        session = Session(recipe, output, *stores, strategy, reporter)
        session.begin(stored)
        return session.run()


def _stores(
    config: Config, pairs: list[Pair], validation: list[Pair], cache: Path
) -> tuple[PairStore, PairStore]:
    """Of what is trained on, with what it's supervised by; and of the validation."""
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
            "GPUs, precision or other images; resume with the same ones, or choose "
            "another --output"
        )
    return stored


def _prepare(store: PairStore, validation: PairStore, reporter: Reporter) -> None:
    num_pairs, total = len(store), len(store) + len(validation)
    store.fill(lambda done: reporter.preparing(done, total))
    validation.fill(lambda done: reporter.preparing(num_pairs + done, total))
