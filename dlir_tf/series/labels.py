"""Labels of one frame in all frames, and the volumes that they have there."""

from dataclasses import dataclass, replace

import numpy as np

from dlir_tf.compute.threads import in_threads
from dlir_tf.errors import InputError
from dlir_tf.images import Frames, Grid, Image
from dlir_tf.series.order import existing_frame
from dlir_tf.series.tracking import Tracking

# Voxels around where labels are taken, so that none is lost at a border between two.
_MARGIN = 2
_MM3_PER_ML = 1000.0


@dataclass(frozen=True)
class EjectionFraction:
    """What part of a label's largest volume leaves it.

    Attributes:
        label: Its number.
        largest_frame: Where it's largest (end-diastole, of a ventricle).
        largest: Its volume there, ml; of 2-d images its area, mm2.
        smallest_frame: Where it's smallest (end-systole).
        smallest: Likewise, there.
        fraction: `(largest - smallest) / largest`.
    """

    label: int
    largest_frame: int
    largest: float
    smallest_frame: int
    smallest: float
    fraction: float


def labels_in_frames(
    tracking: Tracking, labels: Image, frame: int, *, interpolation: str = "label"
) -> Frames:
    """Carries labels of one frame to all frames.

    Every voxel of a frame is taken back to where its tissue is in the labelled frame:
    by the inverse of the frame's transform, solved for, in the box around the labels.

    Args:
        tracking: Of the series.
        labels: On the grid of the frames, whole numbers from 0 on.
        frame: The one that they label, from 0; there they stay as they are.
        interpolation: `"label"`, for smooth borders, or `"nearest"`.

    Raises:
        InputError: If there is no such frame, or the labels lie on another grid.
    """
    frames = tracking.frames
    existing_frame("frame", frame, len(frames))
    if not labels.grid.same_as(frames[0].grid):
        raise InputError(
            f"labels: must lie on the grid of the frames, of shape {frames[0].shape}. "
            f"Received: shape {labels.shape}, or another place"
        )
    if not labels.array.any():
        raise InputError("labels: every voxel is 0, so there is nothing to carry")
    voxels = np.argwhere(labels.array)
    places = tracking.points_in_frames(labels.grid.to_world(voxels), frame)

    def carried(number: int) -> Image:
        if number == frame:
            return labels
        box, grid = _box(labels.grid, places[number])
        back = tracking.between(number, frame)
        found = back.resample(labels, grid, interpolation=interpolation)
        array = np.zeros_like(labels.array)
        array[box] = found.array
        return replace(labels.with_array(array), meaning=labels.meaning)

    images = tuple(in_threads(carried, range(len(frames))))
    return Frames(images, frames.time_step, frames.time_unit)


def volumes(labels: Frames) -> dict[int, list[float]]:
    """The volume of every label in every frame.

    Args:
        labels: In all frames.

    Returns:
        For each label but 0, in each frame, ml; of 2-d images the areas, mm2.
    """
    unit = float(abs(np.linalg.det(labels[0].affine[:-1, :-1])))
    if labels[0].ndim == 3:
        unit /= _MM3_PER_ML
    present = np.unique(np.concatenate([np.unique(one.array) for one in labels]))
    counts = [
        dict(zip(*np.unique(one.array, return_counts=True), strict=True))
        for one in labels
    ]
    return {
        int(label): [unit * int(count.get(label, 0)) for count in counts]
        for label in present
        if label != 0
    }


def ejection_fractions(measured: dict[int, list[float]]) -> list[EjectionFraction]:
    """What part of its largest volume leaves each label.

    Args:
        measured: From `volumes`.

    Example:

    >>> (left,) = ejection_fractions({1: [100.0, 60.0, 45.0, 80.0]})
    >>> left.largest_frame, left.smallest_frame, left.fraction
    (0, 2, 0.55)
    """
    found = []
    for label, values in measured.items():
        high, low = int(np.argmax(values)), int(np.argmin(values))
        share = (values[high] - values[low]) / values[high]
        found.append(
            EjectionFraction(label, high, values[high], low, values[low], share)
        )
    return found


def _box(grid: Grid, points: np.ndarray) -> tuple[tuple[slice, ...], Grid]:
    """The voxels around points, and their grid; one voxel if all are outside."""
    voxels = grid.to_voxels(points)
    last = np.array(grid.shape) - 1
    low = np.clip(np.floor(voxels.min(axis=0)) - _MARGIN, 0, last).astype(int)
    high = np.clip(np.ceil(voxels.max(axis=0)) + _MARGIN, 0, last).astype(int)
    affine = grid.affine.copy()
    affine[:-1, -1] = grid.to_world(low[None].astype(np.float64))[0]
    box = tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))
    return box, Grid(tuple(int(n) for n in high - low + 1), affine)
