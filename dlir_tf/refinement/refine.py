"""Refining the transform of one pair, by gradient descent on its own parameters."""

import math
from dataclasses import dataclass

import numpy as np

from dlir_tf.compute.accelerator import has_accelerator
from dlir_tf.compute.settings import check_keras
from dlir_tf.config import BSplineStage, Config
from dlir_tf.errors import InputError
from dlir_tf.losses.masks import MASKS, check_mask
from dlir_tf.models.parameters import Parameters
from dlir_tf.pairs.knowledge import Knowledge
from dlir_tf.pairs.working_pair import WorkingPair
from dlir_tf.refinement.descent import FLOOR, Objective, OnProgress, descend
from dlir_tf.refinement.drift import leads_apart
from dlir_tf.refinement.graphs import GraphObjective
from dlir_tf.refinement.informed import InformedMatrix, InformedSpline
from dlir_tf.refinement.known import Known
from dlir_tf.refinement.objectives import MatrixObjective, SplineObjective, loss_of
from dlir_tf.refinement.phases import Phase, plan_phases
from dlir_tf.refinement.settling import settle
from dlir_tf.refinement.standing import Standing

# A gain that rounding alone may bring.
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Refined:
    """The result of a refinement.

    Attributes:
        parameters: As a `Predictor` gives them.
        steps: How many were taken, all phases together.
        loss_before: Of the parameters at the start, at the last phase's resolution.
        loss_after: Of the refined ones; never larger.
    """

    parameters: Parameters
    steps: int
    loss_before: float
    loss_after: float


def refine(
    pair: WorkingPair,
    config: Config,
    steps: int,
    *,
    start: Parameters | None = None,
    knowledge: Knowledge | None = None,
    on_progress: OnProgress = lambda phase, step, steps, loss: None,
) -> Refined:
    """Improves the transform of one pair.

    The pair's own affine parameters and control points descend along the gradient of
    the same loss as in training; no weights of a network change. A phase ends before
    its steps are used up when 20 of them bring less than 0.5 % of what it has gained,
    or the loss is no number any more. A phase whose matrix would take the images
    apart counts for nothing. Stages stay as injective as the config wants them.

    Args:
        pair: On its working grid, with masks or without.
        config: Says the stages, the losses and the learning rate.
        steps: At most, all phases together; see `plan_phases`.
        start: What a network found; without it, the refinement starts from the
            initial alignment alone, and is a registration by itself.
        knowledge: Landmarks and outlines of both images, which add to the loss.
        on_progress: Called every few steps with the name of the phase, the steps
            done in it, the steps to do in it and the loss.

    Returns:
        The refined parameters, those at the start if none were better.

    Raises:
        InputError: If there are no steps, a mask is too thin for a stage, or the loss
            at the start isn't a number, or Keras is set up in a way that doesn't do.

    Example: a square that was moved by two voxels.

    >>> from dlir_tf import Config, Image
    >>> from dlir_tf.pairs.preprocessing import prepare_pair
    >>> stage = {"transform": "affine", "downsample": 1, "feature_spacing": 8}
    >>> config = Config.model_validate({"ndim": 2, "spacing": 1, "stages": [stage]})
    >>> fixed, moving = np.zeros((2, 32, 32))
    >>> fixed[12:20, 12:20] = moving[14:22, 12:20] = 1.0
    >>> pair = prepare_pair(*(Image(a, np.eye(3)) for a in (fixed, moving)), config)
    >>> result = refine(pair, config, steps=80)
    >>> matrix = result.parameters.matrix
    >>> (matrix @ [16, 16, 1]).round() - [16, 16]
    array([2., 0.])
    >>> result.loss_after < 0.2 * result.loss_before
    True
    """
    check_keras()
    config = config.while_refining
    if steps < 1:
        raise InputError(f"refine: at least one step is needed. Received: {steps}")
    begin = start or Parameters.identity(config.ndim)
    phases = plan_phases(config, steps, from_nothing=start is None)
    _check_masks(pair, config, phases)
    standing = first = Standing.at(pair, begin, config)
    known = None if knowledge is None else Known.of(pair, knowledge)
    done = 0
    for phase in phases:
        standing, taken = _improve(standing, phase, config, first, known, on_progress)
        done += taken
    factor = phases[-1].factor
    before, after = (loss_of(one, config, factor) for one in (first, standing))
    if known is not None:
        before, after = (
            before + known.loss(first, factor),
            after + known.loss(standing, factor),
        )
    if not math.isfinite(before):
        raise InputError(
            f"the loss of the pair before the refinement is {before}, so there is "
            "nothing to improve; check the images, the masks and the config's weights"
        )
    if not before - after > _ROUNDING:
        return Refined(begin, done, before, before)
    return Refined(standing.parameters, done, before, after)


def _improve(
    standing: Standing,
    phase: Phase,
    config: Config,
    first: Standing,
    known: Known | None,
    on_progress: OnProgress,
) -> tuple[Standing, int]:
    """Refines one stage; returns where that leads, and how many steps it took."""
    pair, spacing = standing.pair, standing.pair.grid.spacing
    if phase.linear:
        still = standing.images(phase.factor, moved=False)
        matrix = MatrixObjective(
            still,
            config,
            phase.linear,
            spacing,
            standing.matrix,
            standing.deformation,
        )
        loss: Objective = matrix
        if known is not None:
            loss = InformedMatrix(matrix, known.of_matrix(standing, phase.factor))
        best, taken = descend(loss, matrix.start, config, phase, on_progress, 0.0)
        best, further = settle(loss, best, phase.steps - taken)
        taken += further
        found = matrix.matrix(best)
        context = config.similarity.kind == "mind_ssc"
        lost = known is None and leads_apart(
            found, first.matrix, pair.mask, by_context=context
        )
        if np.any(best) and not lost:
            standing = standing.with_matrix(found)
    if phase.spline:
        _, name, stage = phase.spline
        kind = GraphObjective if _needs_graph(stage) else SplineObjective
        spline = kind(standing.images(phase.factor), config, stage, spacing)
        loss = spline
        if known is not None:
            loss = InformedSpline(spline, spline, known.of_spline(standing, stage))
        best, taken = descend(loss, spline.start, config, phase, on_progress, FLOOR)
        if np.any(best):
            points = spline.points(best).astype(np.float64)
            standing = standing.with_spline(name, stage, points)
    return standing, taken


def _needs_graph(stage: BSplineStage) -> bool:
    """Whether a stage is refined by a graph of Keras: kernels run on a CPU alone."""
    return has_accelerator() or bool(stage.folding_penalty and not stage.injective)


def _check_masks(pair: WorkingPair, config: Config, phases: list[Phase]) -> None:
    """Makes sure that masks are thick enough for the stages that look at them."""
    # By the numbers of the stages; those that aren't refined see whole images.
    factors = [(1,) * config.ndim] * len(config.all_stages)
    for phase in phases:
        factors[phase.number - 1] = phase.factor
    for name in MASKS:
        mask = getattr(pair, name)
        if mask is not None:
            check_mask(mask, name, factors)
