"""The phases of a refinement, one stage after another."""

import math
from dataclasses import dataclass, replace

from dlir_tf.config import BSplineStage, Config, LinearStage, NamedStage

_LAST_RATE = 0.05  # as a part of the first
# From what a network has found, fewer steps than these are smaller in proportion: the
# first few overshoot, and no others would make up for it.
_ENOUGH = 20
# From what a network has found, a phase of fewer isn't worth its while.
_FEWEST = 5
# Of so many lattices of its networks, a model finds the coarsest better than further
# steps would: these bring more where they are finer.
_MANY = 3
# A linear stage on finer images than one that was as free, with as little left to do.
_ONCE_MORE = 0.25
# Networks can't afford to see finer images than they do. Refinement can, and finds
# more: a brain gains 0.025 of Dice where lattices of 4 voxels see whole images.
_FEWEST_VOXELS = 4


@dataclass(frozen=True)
class Phase:
    """Steps that refine one stage, while those before it stay as they are.

    Attributes:
        name: For progress.
        number: Of the stage, in the config.
        steps: At most so many.
        caution: What the config's learning rate is multiplied by.
        linear: The linear stage that is refined, if it is one.
        spline: The deformable stage that is refined, if it is one.
    """

    name: str
    number: int
    steps: int
    caution: float = 1.0
    linear: LinearStage | None = None
    spline: NamedStage[BSplineStage] | None = None

    @property
    def factor(self) -> tuple[int, ...]:
        """The downsampling of the images that are compared."""
        stages = (self.linear, self.spline and self.spline.stage)
        return next(stage.downsample for stage in stages if stage)

    def rate(self, config: Config, number: int) -> float:
        """The learning rate of a step, counted from 1.

        It falls along a cosine, so that the last steps settle.
        """
        share = 0.5 * (1 + math.cos(math.pi * (number - 1) / self.steps))
        first = self.caution * config.refinement.learning_rate
        return first * (_LAST_RATE + (1 - _LAST_RATE) * share)


def plan_phases(config: Config, steps: int, *, from_nothing: bool) -> list[Phase]:
    """Spreads the steps evenly over the stages, from coarse to fine.

    First the matrix (from nothing, stage by stage), then the deformable stages, one
    after another: from nothing those of the networks, then the refinement's own. What a
    network has found stays as it is: its lattices are gone through once more instead,
    but for the coarsest of three and more, before the refinement's own. A config may
    have the refinement's own lattices alone.

    Args:
        config: The stages.
        steps: In all, at least 1.
        from_nothing: Whether there's nothing yet but the initial alignment.

    Returns:
        At least one phase. If there are too few steps for all stages, the coarsest are
        left out.
    """
    most = steps if from_nothing else max(1, steps // _FEWEST)
    drafts = _drafts(config, from_nothing=from_nothing)[-most:]
    phases: list[Phase] = []
    left = steps
    for position, draft in enumerate(drafts):
        count = round(left / (len(drafts) - position))
        caution = draft.caution
        if not from_nothing:
            caution = min(1.0, count / _ENOUGH)
        phases.append(replace(draft, steps=count, caution=caution))
        left -= count
    return phases


def _drafts(config: Config, *, from_nothing: bool) -> list[Phase]:
    """The phases, without their steps."""
    drafts = _linear_drafts(config, from_nothing=from_nothing)
    splines = config.stages_again
    if len(splines) >= _MANY:
        splines = splines[1:]
    if from_nothing and config.refinement.networks_lattices:
        splines = config.deformable_stages
    for spline in (*splines, *config.own_stages_of_refinement):
        detailed = spline._replace(stage=_in_detail(spline.stage))
        number = spline.number
        drafts.append(Phase(f"stage {number}", number, 0, spline=detailed))
    return drafts


def _linear_drafts(config: Config, *, from_nothing: bool) -> list[Phase]:
    """From nothing, every linear stage is gone through; else only the freest."""
    freest = config.freest_linear_stage
    if freest is None:
        return []
    stages = config.linear_stages
    if not from_nothing or len(stages) == 1:
        return [Phase(freest.stage.transform, freest.number, 0, linear=freest.stage)]
    drafts, most = [], 0
    for number, _, stage in stages:
        name, freedom = f"{stage.transform} {number}", stage.num_parameters[config.ndim]
        caution = 1.0 if freedom > most else _ONCE_MORE
        drafts.append(Phase(name, number, 0, caution, linear=stage))
        most = max(most, freedom)
    return drafts


def _in_detail(stage: BSplineStage) -> BSplineStage:
    """The stage on images of at least so many voxels between its control points."""
    pairs = zip(stage.downsample, stage.control_point_spacing, strict=True)
    factor = tuple(math.gcd(r, max(1, s // _FEWEST_VOXELS)) for r, s in pairs)
    return stage.model_copy(update={"downsample": factor})
