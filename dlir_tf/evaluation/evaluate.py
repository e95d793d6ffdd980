"""Measuring how well pairs are registered, against knowledge it never saw."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from dlir_tf.config import Config, InitialAlignment
from dlir_tf.errors import InputError, WriteError, first_few, is_full
from dlir_tf.evaluation.checking import check_pairs
from dlir_tf.evaluation.measures import Measures, measure, measure_registration
from dlir_tf.images import Image, SpacingWarning
from dlir_tf.models.general import GeneralModel, chosen_config, usual_channel
from dlir_tf.models.parameters import Predictor
from dlir_tf.pairs.loading import LoadedPair, load_pair, located
from dlir_tf.pairs.manifest import Pair
from dlir_tf.quality import Report
from dlir_tf.registration import Registration, register
from dlir_tf.transforms import Affine, Transform


@dataclass(frozen=True, eq=False)
class PairEvaluation:
    """A registered pair.

    Attributes:
        pair: Its files.
        before: Without any transform: the two as they lie in the world.
        after: With the model's transform.
        report: How the registration went, with a verdict.
    """

    pair: Pair
    before: Measures
    after: Measures
    report: Report

    @property
    def seconds(self) -> float:
        """How long the registration took, without reading files."""
        return self.report.seconds


@dataclass(frozen=True)
class PairFailure:
    """A pair that couldn't be registered or measured.

    Attributes:
        pair: Its files.
        problem: Where it is listed, what is wrong, and how to mend it.
    """

    pair: Pair
    problem: str


Outcome = PairEvaluation | PairFailure

# Is given every pair as it was read, and what it was registered to.
Look = Callable[[LoadedPair, Registration], None]


def evaluate(
    pairs: Sequence[Pair],
    model: Predictor | GeneralModel | None = None,
    on_progress: Callable[[int], None] = lambda done: None,
    *,
    config: Config | None = None,
    refine: int | None = None,
    initial_alignment: InitialAlignment | None = None,
) -> list[PairEvaluation]:
    """Registers all pairs, as `dlir_tf.register` does, and measures the results.

    With neither a model nor a config, settings are chosen for every pair.

    Args:
        pairs: From `dlir_tf.pairs.manifest.read_manifest`.
        model: From `dlir_tf.load_model`.
        on_progress: Called with the number of pairs done.
        config: Instead of a model, as for `dlir_tf.register`.
        refine: As for `dlir_tf.register`.
        initial_alignment: As for `dlir_tf.register`.

    Returns:
        One evaluation per pair, in their order.

    Raises:
        InputError: If pairs are faulty; all are checked before the first is
            registered, and the first faulty ones are named.
    """
    if model is None and config is None:
        check_pairs(pairs, None)
    else:
        chosen = chosen_config(model, config)
        check_pairs(pairs, chosen.with_alignment(initial_alignment))
    outcomes = evaluate_each(
        pairs,
        model,
        on_progress,
        config=config,
        refine=refine,
        initial_alignment=initial_alignment,
    )
    failures = [each.problem for each in outcomes if isinstance(each, PairFailure)]
    if failures:
        raise InputError(first_few(failures))
    return [each for each in outcomes if isinstance(each, PairEvaluation)]


def evaluate_each(
    pairs: Sequence[Pair],
    model: Predictor | GeneralModel | None = None,
    on_progress: Callable[[int], None] = lambda done: None,
    *,
    config: Config | None = None,
    refine: int | None = None,
    initial_alignment: InitialAlignment | None = None,
    channel: int | None = None,
    faults: Mapping[int, str] = MappingProxyType({}),
    look: Callable[[int], Look | None] = lambda index: None,
) -> list[Outcome]:
    """Registers and measures the pairs; one that can't be doesn't stop the others.

    The time of the first one holds what is only needed once, such as compiling the
    model.

    Args:
        pairs: As for `evaluate`, like the following.
        model: Likewise.
        on_progress: Likewise.
        config: Likewise.
        refine: Likewise.
        initial_alignment: Likewise.
        channel: Of images with several, as in `dlir_tf.read_image`.
        faults: Of pairs that are known not to work, from `find_faults`.
        look: Gives, for the index of a pair, what is called when it is registered.

    Returns:
        What came of every pair, in their order.

    Raises:
        WriteError: If the disk is full on which `look` writes: so it would be for all
            pairs that follow.
    """

    def outcome(index: int) -> Outcome:
        pair = pairs[index]
        if index in faults:
            return PairFailure(pair, faults[index])
        try:
            return evaluate_pair(
                pair, model, config, refine, initial_alignment, channel, look(index)
            )
        except InputError as error:
            if isinstance(error, WriteError) and is_full(error):
                raise
            return PairFailure(pair, str(error))
        except MemoryError:
            return PairFailure(pair, f"{pair.place}: not enough memory for this pair")

    outcomes = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpacingWarning)  # the check has told already
        for index in range(len(pairs)):
            outcomes.append(outcome(index))
            on_progress(index + 1)
    return outcomes


def evaluate_pair(
    pair: Pair,
    model: Predictor | GeneralModel | None = None,
    config: Config | None = None,
    refine: int | None = None,
    initial_alignment: InitialAlignment | None = None,
    channel: int | None = None,
    look: Look | None = None,
) -> PairEvaluation:
    """Registers a pair, as `dlir_tf.register` does, and measures the result.

    Args:
        pair: Its files; labels and landmarks are used where there are any.
        model: From `dlir_tf.load_model`.
        config: Instead of a model.
        refine: The steps of a refinement.
        initial_alignment: Instead of what the config says.
        channel: Of images with several, as in `dlir_tf.read_image`.
        look: Is called with the pair and its registration.

    Returns:
        What was measured before and after the registration.

    Raises:
        InputError: If the pair is faulty or doesn't suit the model.
    """
    known = config if model is None else model.config
    with located(pair):
        loaded = load_pair(pair, channel=channel, usual_channel=usual_channel(known))
        result = register(
            loaded.fixed,
            loaded.moving,
            model=model,
            config=config,
            refine=refine,
            initial_alignment=initial_alignment,
            fixed_mask=loaded.fixed_mask,
            moving_mask=loaded.moving_mask,
        )
        if look is not None:
            look(loaded, result)
    before = measure(loaded, _identity(loaded.fixed))
    after = measure_registration(loaded, result)
    return PairEvaluation(pair, before, after, result.report)


def _identity(fixed: Image) -> Transform:
    return Transform((Affine(np.eye(fixed.ndim + 1)),))
