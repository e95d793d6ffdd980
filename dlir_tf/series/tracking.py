"""Tracking what moves through a series: every frame registered to a reference."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dlir_tf.automatic.finding import OnProgress
from dlir_tf.automatic.modality import Modality
from dlir_tf.automatic.picking import AnyModel, pick
from dlir_tf.config import Config, InitialAlignment
from dlir_tf.config.stiffness import stiffened
from dlir_tf.errors import InputError
from dlir_tf.images import Frames, Image
from dlir_tf.images.background import FillValue, chosen_fill_value
from dlir_tf.images.colours import warn_of_channel
from dlir_tf.images.companions import mask_on_image
from dlir_tf.pairs.arguments import check_images, check_means
from dlir_tf.pairs.knowledge import check_use
from dlir_tf.series.frame import Answer, FrameRegistrar
from dlir_tf.series.layout import Layout
from dlir_tf.series.notes import Notes
from dlir_tf.series.order import check_series, chosen_reference, mean_image
from dlir_tf.series.outcome import FrameOutcome, outcome_of
from dlir_tf.series.smoothing import check_smoothing
from dlir_tf.series.way import Way
from dlir_tf.transforms import Transform


@dataclass(frozen=True, eq=False)
class Tracking:
    """A series whose frames are registered to a reference.

    Attributes:
        frames: The series.
        reference: What the frames were registered to: one of them, or their mean.
        reference_frame: Its number, from 0; `None` for the mean.
        transforms: One a frame, from points of the reference to points of the frame,
            RAS+ mm.
        corrected: The frames as they would be without motion: on the reference's grid,
            in their dtype, with their step of time.
        outcomes: How each frame went.
        choices: What was chosen for this series, a sentence each.
    """

    frames: Frames
    reference: Image
    reference_frame: int | None
    transforms: tuple[Transform, ...]
    corrected: Frames
    outcomes: tuple[FrameOutcome, ...]
    choices: tuple[str, ...]

    def between(self, start: int, end: int) -> Transform:
        """The transform from points of one frame to points of another, RAS+ mm.

        Args:
            start: A frame, from 0.
            end: Likewise.
        """
        if start == self.reference_frame:
            return self.transforms[end]
        back = self.transforms[start].inverse()
        if end == self.reference_frame:
            return back
        return self.transforms[end].compose(back)

    def points_in_frames(self, points: np.ndarray, frame: int) -> np.ndarray:
        """Where points of one frame are in all frames.

        Args:
            points: `(num_points, ndim)`, RAS+ mm.
            frame: The one that they are given in, from 0.

        Returns:
            `(num_frames, num_points, ndim)`, RAS+ mm; in their own frame as given.
        """
        points = np.asarray(points, np.float64)
        return np.stack(
            [
                points if n == frame else self.between(frame, n).map_points(points)
                for n in range(len(self.frames))
            ]
        )


def track(
    frames: Frames,
    *,
    reference: int | str = 0,
    model: AnyModel | None = None,
    config: Config | None = None,
    refine: int | None = None,
    initial_alignment: InitialAlignment | None = None,
    modality: Modality | None = None,
    mask: Image | None = None,
    stiffness: float = 1.0,
    periodic: bool = False,
    smooth: float | None = None,
    fill_value: FillValue = "auto",
    do_no_harm: bool = True,
    notes: Notes | None = None,
    on_choice: Callable[[tuple[str, ...]], object] = lambda choices: None,
    on_progress: OnProgress = lambda phase, step, steps, loss: None,
    on_frame: Callable[[int, int], object] = lambda done, total: None,
) -> Tracking:
    """Registers every frame of a series to one of them, or to their mean.

    Frames are registered from the reference outwards. Each is registered from rest,
    and, where its neighbour's answer makes it more alike than that, from there; a
    model in one shot looks a second time. One model or config serves all: what is
    chosen by the images (with neither of the two) is chosen by the reference and the
    frame half a series away; so is where frames are started from that are less alike
    at rest.

    Args:
        frames: From `dlir_tf.images.read_frames`; at least two, on one grid.
        reference: The frame that all are registered to, counted from 0; or `"mean"`:
            the mean over time, made once more from the frames after they have been
            registered to it, and registered to again.
        model: As in `dlir_tf.register`.
        config: Likewise.
        refine: Likewise.
        initial_alignment: Likewise; how each frame is laid onto the reference.
        modality: Likewise.
        mask: Which voxels of the reference count, on its grid, bool.
        stiffness: As in `dlir_tf.register`.
        periodic: Whether the first frame follows the last one, as in a gated cine.
        smooth: A period, in frames: how smooth paths are made in time (see
            `dlir_tf.series.smoothing`); `None` leaves them.
        fill_value: As in `dlir_tf.register`, by the reference.
        do_no_harm: As in `dlir_tf.register`.
        notes: Where answers are kept, to go on from after an interruption.
        on_choice: Called once with what was chosen for the series.
        on_progress: Called during a refinement, with the frame in the phase's name.
        on_frame: Called with the number of frames that are registered, and of all.

    Returns:
        The transforms, the motion-corrected series and how each frame went.

    Raises:
        InputError: If there's one frame alone, the reference isn't there, or as
            `dlir_tf.register`.

    Example: a square that moves by a voxel a frame.

    >>> from dlir_tf import load_config
    >>> array = np.zeros((4, 40, 36, 1), np.float32)
    >>> for n, frame in enumerate(array):
    ...     frame[12 + n : 24 + n, 10:24] = 1.0
    ...     frame[12 + n : 30 + n, 10:16] = 2.0
    >>> frames = Frames(tuple(Image(frame, np.eye(4)) for frame in array))
    >>> tracking = track(frames, config=load_config("rigid-2d"), refine=60)
    >>> tracking.points_in_frames([[12.0, 10.0, 0.0]], 0)[:, 0, 0].round()
    array([12., 13., 14., 15.])
    """
    _check_images(frames, mask)
    check_means(model, config, refine=refine)
    number = chosen_reference(reference, len(frames))
    layout = Layout.of(frames[0].grid)
    flat = [layout.flatten(frame) for frame in frames]
    fixed = mean_image(flat) if number is None else flat[number]
    if mask is not None:
        mask = layout.flatten(mask_on_image(mask, frames[0], "mask"))
    halfway = flat[((number or 0) + len(flat) // 2) % len(flat)]
    picked = pick(
        (fixed, halfway),
        (mask, None),
        model,
        config,
        refine=refine,
        alignment=initial_alignment,
        transform=None,
        modality=modality,
    )
    _tell_of_colours(frames, picked.config.channel)
    check_use(None, stiffness, refined=picked.model is None or bool(refine))
    check_smoothing(smooth, picked.config)
    on_choice(picked.choices)
    picked = replace(picked, config=stiffened(picked.config, stiffness))
    outside = chosen_fill_value(fill_value, frames[number or 0])
    start = None if initial_alignment else picked.initial_transform
    registrar = FrameRegistrar(fixed, picked, refine, mask, do_no_harm, start)
    way = Way(flat, number, periodic, smooth, notes or Notes(), on_progress, on_frame)
    registrar, answers, transforms = way.go(registrar, outside)
    corrected, outcomes = _seen_through(transforms, answers, flat, registrar, outside)
    restored = tuple(layout.restore(image, frames[0]) for image in corrected)
    return Tracking(
        frames,
        layout.restore(registrar.fixed, frames[0]),
        number,
        tuple(map(layout.to_world, transforms)),
        replace(frames, images=restored),
        tuple(outcomes),
        picked.choices,
    )


def _check_images(frames: Frames, mask: Image | None) -> None:
    """Refuses what is no series of images, and no mask."""
    if not isinstance(frames, Frames):
        raise InputError(
            "frames: must be a series, as dlir_tf.images.read_frames(path) or "
            f"Frames((image, image)) gives. Received: {type(frames).__name__}"
        )
    check_images(**{f"frame {n}": frame for n, frame in enumerate(frames)}, mask=mask)
    check_series(frames)


def _tell_of_colours(frames: Frames, channel: int | None) -> None:
    """Warns of what isn't looked at, and of what the model wasn't made for."""
    if any(frame.channels is not None for frame in frames.images):
        warnings.warn(
            "the frames are in colours; they are registered by their grey values, or "
            "by the channel that was chosen, and the corrected series has these alone "
            "(dlir-tf transform moves all channels of a frame)",
            stacklevel=3,
        )
    for frame in frames.images:
        warn_of_channel(frame, channel, "a frame")


def _seen_through(
    transforms: Sequence[Transform],
    answers: Sequence[Answer],
    frames: Sequence[Image],
    registrar: FrameRegistrar,
    outside: float,
) -> tuple[list[Image], list[FrameOutcome]]:
    """The frames through their transforms, and how each went."""
    corrected: list[Image] = []
    outcomes: list[FrameOutcome] = []
    fixed = registrar.fixed
    for image, transform, answer in zip(frames, transforms, answers, strict=True):
        field = transform.displacement(fixed)
        corrected.append(
            transform.resample(image, fixed, displacement=field, fill_value=outside)
        )
        found = (answer, transform, field)
        outcomes.append(outcome_of(len(outcomes), registrar, image, *found))
    return corrected, outcomes
