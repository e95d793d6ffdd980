"""Measuring how well pairs are registered, against knowledge it never saw."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dlir_tf.config import Config
from dlir_tf.evaluation.measures import Measures, measure
from dlir_tf.images import Image, SpacingWarning
from dlir_tf.models.parameters import Predictor
from dlir_tf.pairs.loading import for_each_pair, load_pair, located
from dlir_tf.pairs.manifest import Pair
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.pairs.slices import as_slices, in_plane, laid_out
from dlir_tf.quality import Report
from dlir_tf.registration import chosen_config, register
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


def check_pairs(
    pairs: Sequence[Pair],
    config: Config,
    on_progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Makes sure that all pairs can be read and suit the model, before any is used.

    Needs no TensorFlow, so that faulty files show before it is loaded.

    Args:
        pairs: The files.
        config: The model's.
        on_progress: Called with the number of pairs checked.

    Raises:
        InputError: If pairs are faulty; every one is named with its line.
    """

    def check(index: int) -> None:
        loaded = load_pair(pairs[index])
        slices = as_slices(loaded.fixed, loaded.moving, config.ndim)
        prepare_pair(
            *in_plane(loaded.fixed, loaded.moving, config.ndim),
            config,
            fixed_mask=laid_out(loaded.fixed_mask, slices),
            moving_mask=laid_out(loaded.moving_mask, slices),
        )

    for_each_pair(pairs, check, on_progress)


def evaluate(
    pairs: Sequence[Pair],
    model: Predictor | None = None,
    on_progress: Callable[[int], None] = lambda done: None,
    *,
    config: Config | None = None,
    refine: int | None = None,
    checked: bool = False,
) -> list[PairEvaluation]:
    """Registers all pairs, as `dlir_tf.register` does, and measures the results.

    The first pair is registered once more beforehand, so that no time of a pair
    holds what is only needed once, such as compiling the model.

    Args:
        pairs: From `dlir_tf.pairs.manifest.read_manifest`.
        model: From `dlir_tf.load_model`.
        on_progress: Called with the number of pairs done.
        config: Instead of a model, as for `dlir_tf.register`.
        refine: As for `dlir_tf.register`.
        checked: Whether `check_pairs` has passed already.

    Returns:
        One evaluation per pair, in their order.

    Raises:
        InputError: If pairs are faulty; all are checked before the first is
            registered, and every faulty one is named.
    """
    if not checked:
        check_pairs(pairs, chosen_config(model, config))
    evaluations = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpacingWarning)  # the check has told already
        for pair in pairs[:1]:
            loaded = load_pair(pair)
            register(
                loaded.fixed, loaded.moving, model=model, config=config, refine=refine
            )
        for done, pair in enumerate(pairs, start=1):
            evaluations.append(evaluate_pair(pair, model, config, refine))
            on_progress(done)
    return evaluations


def evaluate_pair(
    pair: Pair,
    model: Predictor | None = None,
    config: Config | None = None,
    refine: int | None = None,
) -> PairEvaluation:
    """Registers a pair, as `dlir_tf.register` does, and measures the result.

    Args:
        pair: Its files; labels and landmarks are used where there are any.
        model: From `dlir_tf.load_model`.
        config: Instead of a model.
        refine: The steps of a refinement.

    Returns:
        What was measured before and after the registration.

    Raises:
        InputError: If the pair is faulty or doesn't suit the model.
    """
    with located(pair):
        loaded = load_pair(pair)
        result = register(
            loaded.fixed,
            loaded.moving,
            model=model,
            config=config,
            refine=refine,
            fixed_mask=loaded.fixed_mask,
            moving_mask=loaded.moving_mask,
        )
    before = measure(loaded, _identity(loaded.fixed))
    after = measure(loaded, result.transform)
    return PairEvaluation(pair, before, after, result.report)


def _identity(fixed: Image) -> Transform:
    return Transform((Affine(np.eye(fixed.ndim + 1)),))
