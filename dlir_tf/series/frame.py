"""Registering one frame to the reference, from rest or from its neighbour's answer."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from dlir_tf.automatic.finding import OnProgress, chosen_numerics, find_parameters
from dlir_tf.automatic.picking import Picked
from dlir_tf.config import Config
from dlir_tf.images import Image
from dlir_tf.metrics.similarity import most_alike
from dlir_tf.models.world import build_transform
from dlir_tf.numerics import Numerics
from dlir_tf.pairs.preparation import Preparation
from dlir_tf.pairs.preprocessing import prepare
from dlir_tf.pairs.working_pair import WorkingPair
from dlir_tf.quality.comparison import Comparison
from dlir_tf.quality.selection import is_worse, select_stages
from dlir_tf.series.lattice import common_lattice, on_lattice
from dlir_tf.series.smoothing import at_rest, motion_of
from dlir_tf.transforms import Affine, BSpline, Transform

REST, AGAIN, CHOSEN = "rest", "its own answer", "the start chosen by the images"


@dataclass(frozen=True)
class Answer:
    """What was found for a frame.

    Attributes:
        transform: From points of the reference to points of the frame, mm: one spline
            on the lattice of all frames, or a matrix.
        similarity_before: Of the frame and the reference as they are.
        similarity_after: Of both through the transform.
        start: Where it was started from: "rest", "its own answer", "frame 3" or "the
            start chosen by the images".
    """

    transform: Transform
    similarity_before: float
    similarity_after: float
    start: str


@dataclass(frozen=True, eq=False)
class _Seen:
    """A frame as it's seen through a transform, and how alike it is then."""

    laid: Preparation
    pair: WorkingPair
    comparison: Comparison
    transform: Transform
    name: str

    @property
    def similarity(self) -> float:
        return self.comparison.similarity_at_start


@dataclass(frozen=True, eq=False)
class FrameRegistrar:
    """Registers frames to one image, by one model or config.

    Attributes:
        fixed: The image that all are registered to.
        picked: What registers them.
        refine: The steps of a refinement, as in `dlir_tf.register`.
        mask: Which voxels of the fixed image count, on its grid; `None` for all.
        do_no_harm: As in `dlir_tf.register`.
        start: From points of the fixed image to points of a frame, mm: where frames are
            started from that are more alike by it than they are at rest.
    """

    fixed: Image
    picked: Picked
    refine: int | None = None
    mask: Image | None = None
    do_no_harm: bool = True
    start: Transform | None = None

    def register(
        self,
        frame: Image,
        on_progress: OnProgress,
        neighbour: tuple[str, Transform] | None = None,
    ) -> Answer:
        """Registers a frame.

        It is registered from rest, or from the start that was chosen for the series if
        that makes it more alike. If its neighbour's answer, as it stands, makes it
        more alike than what is found, it's registered once more from there (a neighbour
        at rest says nothing new). A model in one shot looks a second time in any case,
        from what it said first: hearts at their smallest are out of reach of one look
        (docs/series.md has the numbers). If all
        that leaves it less alike than it is at rest, it stays there, unless harm is
        allowed: what is selected stage by stage loses a little on its one lattice.

        Args:
            frame: On the fixed image's grid.
            on_progress: Told of a refinement's steps.
            neighbour: What the neighbouring frame is called, and its answer.
        """
        laid = self._prepared.with_moving(frame)
        rest = self._see(laid, None, REST)
        first = self._first_start(laid, rest)
        best = self._found(first, first.name, on_progress)
        start = self._second_start(best, neighbour)
        if start is not None:
            name = AGAIN if start is best else start.name
            again = self._found(start, name, on_progress)
            best = self._kept(again, start, rest)
        if self.do_no_harm and self._is_worse(best, rest):
            best = replace(rest, transform=at_rest(best.transform))
        return Answer(best.transform, rest.similarity, best.similarity, best.name)

    def alike(self, frame: Image, transform: Transform) -> float:
        """How alike the frame is to the fixed image through a transform."""
        laid = self._prepared.with_moving(frame)
        return self._see(laid, transform, "").similarity

    def own(self, answer: Answer) -> Answer:
        """An answer from a file as it would have been found: with its class of splines.

        Args:
            answer: Perhaps read again.
        """
        (part,) = answer.transform.components
        kind = self.numerics.bspline
        if not isinstance(part, BSpline) or isinstance(part, kind):
            return answer
        spline = kind(part.control_points, part.lattice)
        return replace(answer, transform=Transform((spline,)))

    @property
    def numerics(self) -> Numerics:
        """What warps images."""
        return chosen_numerics(self.picked.model)

    @property
    def is_refined(self) -> bool:
        """Whether answers are refined, by a config or from a model's."""
        return self.picked.model is None or bool(self.refine)

    @property
    def judging(self) -> Config:
        """By whose similarity answers are compared."""
        config = self.picked.config
        return config.while_refining if self.is_refined else config

    @cached_property
    def _prepared(self) -> Preparation:
        """The fixed image, with itself in the place of a frame."""
        model = self.picked.model
        return prepare(
            self.fixed,
            self.fixed,
            self.picked.config,
            fixed_mask=self.mask,
            shape=None if model is None else model.shape,
        )

    def _see(self, laid: Preparation, transform: Transform | None, name: str) -> _Seen:
        """A frame through a transform, interpolated once whatever led there."""
        pair = laid.from_start(transform)
        comparison = Comparison(pair, self.judging, self.numerics)
        return _Seen(laid, pair, comparison, transform or pair.initial, name)

    def _found(self, start: _Seen, name: str, on_progress: OnProgress) -> _Seen:
        """What is found from where the frame was laid."""
        config, model, pair = self.picked.config, self.picked.model, start.pair
        parameters, _ = find_parameters(pair, config, model, self.refine, on_progress)
        numerics = self.numerics
        selection = select_stages(
            pair,
            parameters,
            self.judging,
            do_no_harm=self.do_no_harm,
            numerics=numerics,
            comparison=start.comparison,
        )
        lattice = common_lattice(pair.grid, config)
        is_answer = lattice is None or isinstance(
            start.transform.components[0], BSpline
        )
        if is_answer and not any(stage.kept for stage in selection.stages):
            return replace(start, name=name)  # to see it once more gives the same
        found = build_transform(pair, selection.parameters, config, numerics.bspline)
        transform = on_lattice(found, lattice, numerics.bspline)
        if lattice is None:
            transform = Transform((Affine(found.affine_part),))
        return self._see(start.laid, transform, name)

    def _first_start(self, laid: Preparation, rest: _Seen) -> _Seen:
        """Where a first look begins."""
        if self.start is None:
            return rest
        kind = self.numerics.bspline
        lattice = common_lattice(rest.pair.grid, self.picked.config)
        start = on_lattice(self.start, lattice, kind)
        return self._more_alike(self._see(laid, start, CHOSEN), rest)

    def _second_start(
        self, first: _Seen, neighbour: tuple[str, Transform] | None
    ) -> _Seen | None:
        """Where a second look begins; `None` where one is enough."""
        if neighbour is not None and np.any(motion_of(neighbour[1])):
            name, transform = neighbour
            near = self._more_alike(self._see(first.laid, transform, name), first)
            if near is not first:
                return near
        found = bool(np.any(motion_of(first.transform)))  # else it would be the same
        return first if found and not self.is_refined else None

    def _kept(self, again: _Seen, start: _Seen, rest: _Seen) -> _Seen:
        """What a second look leaves: a model's counts, unless it does harm."""
        if self.is_refined:
            return self._more_alike(again, start)
        return start if self._is_worse(again, rest) else again

    def _is_worse(self, trial: _Seen, than: _Seen) -> bool:
        kind = self.judging.similarity.kind
        return is_worse(kind, trial.similarity, than.similarity)

    def _more_alike(self, trial: _Seen, first: _Seen) -> _Seen:
        """The one by which the frame is more alike; what is NaN is less than all."""
        best = most_alike(self.judging.similarity.kind)
        if np.isnan(first.similarity):
            return first if np.isnan(trial.similarity) else trial
        return trial if best - trial.similarity < best - first.similarity else first
