"""A whole heartbeat: a cine MR series of a heart, with its motion in every frame."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dlir_tf.errors import InputError
from dlir_tf.images import Frames
from dlir_tf.phantoms.heart import in_blocks
from dlir_tf.phantoms.motion import HeartMotion
from dlir_tf.phantoms.profile import AreaProfile
from dlir_tf.phantoms.scanner import Scanner
from dlir_tf.phantoms.shape import HeartShape
from dlir_tf.phantoms.thorax import Thorax

Array = NDArray[np.floating]

_SECONDS_PER_BEAT = 0.9


@dataclass(frozen=True, eq=False)
class Heartbeat:
    """The frames of a heartbeat; the first is end-diastole.

    Attributes:
        frames: Evenly over one beat, each with noise of its own.
        labels: 1 right ventricle, 2 myocardium, 3 left ventricle, in every frame.
        scanner: Where the voxels and the heart are.
        motions: From the first frame to each.
    """

    frames: Frames
    labels: Frames
    scanner: Scanner
    motions: tuple[HeartMotion, ...]

    def displacement(self, points_mm: Array, frame: int) -> Array:
        """Where the tissue of the first frame has gone.

        Args:
            points_mm: Points `(n, ndim)` of the first frame, world mm.
            frame: Counted from 0.

        Returns:
            Displacements `(n, ndim)`, mm.
        """
        points = self.scanner.to_heart(points_mm)
        return self.scanner.to_world(self.motions[frame].forward(points)) - points_mm


def heartbeat(
    seed: int,
    num_frames: int = 20,
    *,
    shape: Sequence[int] | None = None,
    spacing: Sequence[float] | None = None,
    ndim: int = 3,
) -> Heartbeat:
    """Makes a cine of one heartbeat, from end-diastole to shortly before the next.

    The motion is that of `beating_heart`, in part: none at first, all half a beat
    later, and back, as the square of a sine.

    Args:
        seed: Chooses the subject, the scanner's orientation and the noise.
        num_frames: At least 2.
        shape: As in `beating_heart`.
        spacing: Likewise.
        ndim: Likewise.

    Raises:
        InputError: If one of these can't be.
    """
    if ndim not in (2, 3) or num_frames < 2:
        raise InputError(
            "a heartbeat must have 2 or 3 dimensions and at least 2 frames. "
            f"Received: {ndim} and {num_frames}"
        )
    rng = np.random.default_rng(seed)
    scanner = Scanner.random(rng, ndim, shape, spacing)
    heart = HeartShape.random(rng)
    whole = HeartMotion.random(rng, heart, ndim)
    thorax = Thorax.random(rng, heart)
    shares = [math.sin(math.pi * n / num_frames) ** 2 for n in range(num_frames)]
    motions = tuple(_partly(whole, share) for share in shares)
    rest = scanner.to_heart(scanner.voxel_centres())
    images, labels = [], []
    for motion in motions:
        origins = in_blocks(motion.inverse, rest)
        images.append(scanner.acquire(rng, in_blocks(thorax, origins)))
        labels.append(scanner.image(heart.labels(origins)))
    step = _SECONDS_PER_BEAT / num_frames
    return Heartbeat(
        Frames(tuple(images), step, "sec"),
        Frames(tuple(labels), step, "sec"),
        scanner,
        motions,
    )


def _partly(motion: HeartMotion, share: float) -> HeartMotion:
    """A part of a motion; one-to-one, as the whole is."""
    base, apex = motion.twist
    return replace(
        motion,
        left=_less(motion.left, share),
        right=_less(motion.right, share),
        twist=(share * base, share * apex),
        drifts=tuple(
            (centre, width, tuple(share * part for part in vector))
            for centre, width, vector in motion.drifts
        ),
    )


def _less(profile: AreaProfile, share: float) -> AreaProfile:
    return replace(profile, changes=tuple(share * c for c in profile.changes))
