"""The way through a series: frame after frame, and once more for a mean."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dlir_tf.automatic.finding import OnProgress
from dlir_tf.compute.threads import side_by_side
from dlir_tf.images import Image
from dlir_tf.series.frame import Answer, FrameRegistrar
from dlir_tf.series.notes import Notes
from dlir_tf.series.order import in_directions, mean_image, with_neighbours
from dlir_tf.series.smoothing import (
    at_rest,
    smooth_in_time,
    smoothing_matrix,
)
from dlir_tf.transforms import Transform

Found = tuple[FrameRegistrar, list[Answer], tuple[Transform, ...]]


@dataclass(frozen=True, eq=False)
class Way:
    """A series on its way.

    Attributes:
        frames: As they are registered.
        reference: The frame that others are registered to, `None` for the mean.
        periodic: Whether the first frame follows the last one.
        smooth: The period of smoothing, in frames, or none.
        notes: Where answers are kept.
        on_progress: Told of refinements' steps.
        on_frame: Told how many frames are registered, of how many.
    """

    frames: Sequence[Image]
    reference: int | None
    periodic: bool
    smooth: float | None
    notes: Notes
    on_progress: OnProgress
    on_frame: Callable[[int, int], object]

    def go(self, registrar: FrameRegistrar, outside: float) -> Found:
        """Registers all frames; to a mean twice, the second time to a better one.

        Args:
            registrar: To the reference, or to the mean of the frames as they are.
            outside: Given to voxels that come from outside a frame.

        Returns:
            What registered them at last, their answers, and their transforms, smoothed
            if asked to.
        """
        if self.reference is not None:
            return registrar, *self._turn(registrar, 1, 1)
        _, transforms = self._turn(registrar, 1, 2)
        moved = [
            transform.resample(frame, registrar.fixed, fill_value=outside)
            for transform, frame in zip(transforms, self.frames, strict=True)
        ]
        registrar = replace(registrar, fixed=mean_image(moved))
        return registrar, *self._turn(registrar, 2, 2)

    def _turn(
        self, registrar: FrameRegistrar, turn: int, turns: int
    ) -> tuple[list[Answer], tuple[Transform, ...]]:
        """Registers all frames once.

        One shot of a model leaves cores idle, so the ways in both directions from the
        reference are gone at the same time. A refinement doesn't.
        """
        total = len(self.frames)
        order = with_neighbours(total, self.reference, periodic=self.periodic)
        found: dict[int, Answer] = {}
        before = (turn - 1) * len(order)
        counting = threading.Lock()

        def register(number: int, neighbour: int | None) -> None:
            answer = self.notes.recall(turn, number)
            if answer is None:
                near = None
                if neighbour is not None:
                    near = f"frame {neighbour}", found[neighbour].transform
                answer = registrar.register(
                    self.frames[number], self._progress_of(number), near
                )
                self.notes.note(turn, number, answer)
            with counting:
                found[number] = registrar.own(answer)
                self.on_frame(before + len(found), turns * len(order))

        both = in_directions(order)
        if registrar.is_refined or len(both) == 1:
            both = [order]
        side_by_side(register, both)
        if self.reference is not None:
            found[self.reference] = _at_rest(registrar, next(iter(found.values())))
        answers = [found[number] for number in range(total)]
        transforms = tuple(answer.transform for answer in answers)
        if self.smooth is not None:
            matrix = smoothing_matrix(
                total, self.smooth, periodic=self.periodic, reference=self.reference
            )
            transforms = smooth_in_time(transforms, matrix)
        return answers, transforms

    def _progress_of(self, number: int) -> OnProgress:
        return lambda phase, step, steps, loss: self.on_progress(
            f"frame {number}, {phase}", step, steps, loss
        )


def _at_rest(registrar: FrameRegistrar, other: Answer) -> Answer:
    """The reference's own answer: it moves nothing, in the form of the others."""
    still = at_rest(other.transform)
    alike = registrar.alike(registrar.fixed, still)
    return Answer(still, alike, alike, "")
