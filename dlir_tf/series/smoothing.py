"""Smoothness in time of the paths that points take through a series.

All frames' displacement fields lie on the grid of the reference, so that one voxel's
displacements over time are the path of one piece of tissue. A path `u` is replaced by
the `v` that minimises `sum |v - u|^2 + weight * sum |v''|^2`, with second differences
in time: Whittaker's smoother. It's linear, so it may as well act on control points,
and has no lag. Displacements of the reference frame stay 0.

Reference:

- Eilers (2003), "A perfect smoother", Analytical Chemistry 75(14).
  https://doi.org/10.1021/ac034173t
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.transforms import Affine, BSpline, Transform

SHORTEST_PERIOD = 2.0
# In frames; all that bends at all is quicker.
_LONGEST_PERIOD = 1e6
# What eigenvalues are taken for 0; the slowest wave of a thousand frames has 1e-10.
_STRAIGHT = 1e-13


def check_smoothing(period: float | None, config: Config) -> None:
    """Refuses a period that says nothing, and smoothing of rigid motion.

    Args:
        period: As for `smooth_in_time`; `None` for none.
        config: Says the stages.

    Raises:
        InputError: If it's shorter than two frames, or a mean of the config's motions
            would be none of its motions.
    """
    if period is None:
        return
    if not (math.isfinite(period) and period >= SHORTEST_PERIOD):
        raise InputError(
            f"smooth: must be a period of at least {SHORTEST_PERIOD:g} frames; of what "
            f"comes and goes in it, half is left. Received: {period:g}"
        )
    if config.keeps and not config.all_deformable_stages:
        raise InputError(
            "smooth: is for motion that deforms; the mean of several rotations is no "
            "rotation, so leave it out for a rigid model or preset"
        )


def smoothing_matrix(
    num_frames: int, period: float, *, periodic: bool, reference: int | None
) -> np.ndarray:
    """What the displacements of each frame become, as a mean of those of all.

    Args:
        num_frames: How many there are.
        period: In frames: of what comes and goes in this time half is left, of what
            is slower more, of what is quicker less.
        periodic: Whether the first frame follows the last one.
        reference: The frame that stays still, if one does.

    Returns:
        `(num_frames, num_frames)`.

    Example: a steady drift is as smooth as can be, and stays.

    >>> matrix = smoothing_matrix(5, 4.0, periodic=False, reference=0)
    >>> (matrix @ [0.0, 1.0, 2.0, 3.0, 4.0]).round(6).tolist()
    [0.0, 1.0, 2.0, 3.0, 4.0]
    """
    weight = (2 * math.sin(math.pi / min(period, _LONGEST_PERIOD))) ** -4
    identity = np.eye(num_frames)
    if periodic:
        second = np.roll(identity, 1, 0) - 2 * identity + np.roll(identity, -1, 0)
    else:
        second = np.diff(identity, n=2, axis=0)
    free = np.arange(num_frames) != reference
    bending = (second.T @ second)[np.ix_(free, free)]
    # By its own waves: an inverse at once would lose what doesn't bend, which large
    # weights leave as it is, to rounding.
    amounts, waves = np.linalg.eigh(bending)
    amounts[amounts < _STRAIGHT] = 0.0
    matrix = np.zeros((num_frames, num_frames))
    matrix[np.ix_(free, free)] = waves / (1 + weight * amounts) @ waves.T
    return matrix


def smooth_in_time(
    transforms: Sequence[Transform], matrix: np.ndarray
) -> tuple[Transform, ...]:
    """Smooths the frames' transforms.

    Args:
        transforms: One a frame, each a matrix, or each a spline on the same lattice.
        matrix: From `smoothing_matrix`.
    """
    values = np.stack([motion_of(transform) for transform in transforms])
    smooth = np.tensordot(matrix, values.astype(np.float64), axes=1)
    return tuple(map(with_motion, transforms, smooth))


def motion_of(transform: Transform) -> np.ndarray:
    """The numbers that displacements are linear in; 0 for none.

    Args:
        transform: An answer of a frame: one spline, or one matrix.
    """
    (part,) = transform.components
    if isinstance(part, BSpline):
        return part.control_points
    return transform.affine_part - np.eye(transform.ndim + 1)


def with_motion(transform: Transform, motion: np.ndarray) -> Transform:
    """The same kind of transform with other such numbers."""
    (part,) = transform.components
    if isinstance(part, BSpline):
        return Transform((replace(part, control_points=motion),))
    return Transform((Affine(motion + np.eye(transform.ndim + 1)),))


def at_rest(transform: Transform) -> Transform:
    """One of the same form that moves nothing."""
    return with_motion(transform, np.zeros_like(motion_of(transform)))
