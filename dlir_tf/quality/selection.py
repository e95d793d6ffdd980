"""Which stages of a transform do a pair good; the others are left out."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from dlir_tf.config import MATRIX, BSplineStage, Config
from dlir_tf.metrics.similarity import most_alike
from dlir_tf.models.parameters import Parameters
from dlir_tf.numerics import UNCOMPILED, Numerics
from dlir_tf.pairs.rigidity import exact_matrix
from dlir_tf.pairs.working_pair import WorkingPair
from dlir_tf.quality.comparison import Candidate, Comparison, Judgement
from dlir_tf.splines.lattice import INJECTIVITY_LIMIT

# A stage may leave the images this much more unlike (as a share of their
# dissimilarity) before it counts as harm: interpolation makes a difference of that
# size, also where a stage moves next to nothing. Always measured from the best so
# far, so that it can't add up over the stages.
TOLERANCE = 1e-3
# What rounding does to the similarity of equal images.
ROUNDING = 1e-6

# A control point this close to its bound would go further if it could.
SATURATED = 0.98


@dataclass(frozen=True)
class StageOutcome:
    """What became of a stage.

    Attributes:
        number: Its place in the config, from 1; for several linear stages, which are
            one transform, that of the first.
        transform: As its config says it, such as `"bspline"`; of several linear stages,
            that of the freest.
        kept: Whether it's part of the result.
        similarity: Of the images with it, after the kept ones before it.
        smallest_jacobian: The smallest Jacobian determinant then.
        saturated_percent: Share of its control points that are at the bound which
            keeps it from folding; `None` if it has no bound.
        reason: Why it was left out, or kept although it does no good by itself;
            `None` if there's nothing to say.
        looks_again: Whether it's like the stage before it, and so finds nothing more
            where that has found all.
    """

    number: int
    transform: str
    kept: bool
    similarity: float
    smallest_jacobian: float
    saturated_percent: float | None
    reason: str | None
    looks_again: bool = False

    @property
    def name(self) -> str:
        """As messages call it."""
        return f"stage {self.number} ({self.transform})"


@dataclass(frozen=True, eq=False)
class Selection:
    """What is left of the parameters of a pair's transform.

    Attributes:
        parameters: Those of the stages that are kept.
        stages: What became of each stage.
        similarity_before: With the initial alignment alone.
        similarity_after: With the stages that are kept.
        affine_scales: By what factors the linear stages stretch lengths in the world,
            the largest first; `None` if there's none.
        told_share: How much of either image the other one tells in the end; see
            `dlir_tf.metrics.telling`.
    """

    parameters: Parameters
    stages: tuple[StageOutcome, ...]
    similarity_before: float
    similarity_after: float
    affine_scales: tuple[float, ...] | None
    told_share: float = math.nan


@dataclass(frozen=True, eq=False)
class _Step:
    """What is kept or left out: a deformable stage, or all linear ones together."""

    number: int
    transform: str
    name: str
    values: np.ndarray
    spline: BSplineStage | None = None
    looks_again: bool = False

    def extend(self, comparison: Comparison, candidate: Candidate) -> Candidate:
        if self.spline is None:
            return comparison.with_matrix(candidate, self.values)
        return comparison.with_spline(candidate, self.values, self.spline.cell_spacing)


def select_stages(
    pair: WorkingPair,
    parameters: Parameters,
    config: Config,
    *,
    do_no_harm: bool = True,
    numerics: Numerics = UNCOMPILED,
    comparison: Comparison | None = None,
) -> Selection:
    """Goes through the stages and keeps those that make the images no less alike.

    A stage that makes them less alike than they are without it, or the transform
    fold, is left out. But the whole chain is kept if it does as well in the end as
    what was selected: stages that were trained together may rely on each other.

    Args:
        pair: On its working grid.
        parameters: Finite.
        config: The stages and the similarity.
        do_no_harm: Whether to leave stages out; else they are only measured.
        numerics: What warps images and composes fields.
        comparison: Of this pair by this config, if there is one already.
    """
    comparison = comparison or Comparison(pair, config, numerics)
    chosen = whole = comparison.start()
    before = comparison.at_start
    kind = config.similarity.kind
    state, best = before, before.similarity
    stages: list[StageOutcome] = []
    matrix = exact_matrix(parameters.matrix, pair.grid, config)
    steps = list(_steps(replace(parameters, matrix=matrix), config))
    for step in steps:
        candidate = step.extend(comparison, chosen)
        whole = candidate if whole is chosen else step.extend(comparison, whole)
        trial = comparison.judge(candidate)
        harm = _harm(kind, best, state, trial)
        kept = harm is None or not do_no_harm
        if kept:
            chosen, state = candidate, trial
            best = float(np.fmax(best, trial.similarity))
        stages.append(_outcome(step, trial, kept=kept, reason=harm))
    left_out = any(not stage.kept for stage in stages)
    if left_out:
        judged = comparison.judge(whole)
        if _harm(kind, best, state, judged) is None:
            state, stages = judged, [_made_up_for(stage) for stage in stages]
    outcomes = zip(steps, stages, strict=True)
    kept_values = {step.name: step.values for step, stage in outcomes if stage.kept}
    none = Parameters.identity(config.ndim).named()
    return Selection(
        Parameters.of(none | kept_values, config),
        tuple(stages),
        before.similarity,
        state.similarity,
        _scales(kept_values.get(MATRIX), pair.grid.affine),
        state.told_share,
    )


def is_worse(kind: str, similarity: float, than: float) -> bool:
    """Whether images are less alike, by more than the tolerance; so is what is NaN."""
    best = most_alike(kind)
    limit = (best - than) * (1 + TOLERANCE) + ROUNDING
    return not best - similarity <= limit


def percent(value: float) -> str:
    """A percentage as messages show it: two digits, but no powers of ten."""
    return f"{value:.0f} %" if value >= 10 else f"{value:.2g} %"


def _steps(parameters: Parameters, config: Config) -> Iterator[_Step]:
    """In the order in which the stages build upon each other."""
    if freest := config.freest_linear_stage:
        # One matrix stands for all linear stages, and is applied after the rest.
        number = config.linear_stages[0].number
        yield _Step(number, freest.stage.transform, freest.name, parameters.matrix)
    before = None
    for (number, name, spline), points in parameters.splines(config):
        yield _Step(number, spline.transform, name, points, spline, spline == before)
        before = spline


def _harm(kind: str, best: float, state: Judgement, trial: Judgement) -> str | None:
    """What a stage does to the pair, as the end of a sentence."""
    if trial.folded_percent > state.folded_percent:
        return (
            f"it makes {percent(trial.folded_percent)} of the voxels fold, instead of "
            f"{percent(state.folded_percent)}"
        )
    if np.isfinite(best) and is_worse(kind, trial.similarity, best):
        return (
            f"it makes the images less alike ({kind} {trial.similarity:.4f}, "
            f"{best:.4f} without it)"
        )
    return None


def _outcome(
    step: _Step, trial: Judgement, *, kept: bool, reason: str | None
) -> StageOutcome:
    return StageOutcome(
        number=step.number,
        transform=step.transform,
        kept=kept,
        similarity=trial.similarity,
        smallest_jacobian=trial.smallest_jacobian,
        saturated_percent=_saturated_percent(step),
        reason=reason,
        looks_again=step.looks_again,
    )


def _made_up_for(stage: StageOutcome) -> StageOutcome:
    if stage.kept:
        return stage
    reason = f"{stage.reason}, but the stages together make up for it"
    return replace(stage, kept=True, reason=reason)


def _saturated_percent(step: _Step) -> float | None:
    if step.spline is None or not step.spline.injective:
        return None
    ndim = step.values.shape[-1]
    limit = np.multiply(step.spline.cell_spacing, INJECTIVITY_LIMIT[ndim])
    at_bound = np.any(np.abs(step.values) >= SATURATED * limit, axis=-1)
    return float(100 * np.mean(at_bound))


def _scales(matrix: np.ndarray | None, grid: np.ndarray) -> tuple[float, ...] | None:
    if matrix is None:
        return None
    linear = grid[:-1, :-1] @ matrix[:, :-1] @ np.linalg.inv(grid[:-1, :-1])
    return tuple(float(x) for x in np.linalg.svd(linear, compute_uv=False))
