"""Measuring how well one transform registers one pair."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import ndimage

from dlir_tf.compute.inside import is_wholly_inside
from dlir_tf.images import Image
from dlir_tf.images.padding import counting_voxels, padding_voxels
from dlir_tf.metrics import (
    SurfaceDistances,
    dice,
    folded_percent,
    jacobian_determinant,
    landmark_errors,
    std_log_jacobian,
    surface_distances,
)
from dlir_tf.pairs.loading import LoadedPair
from dlir_tf.quality.field import inside_moving
from dlir_tf.registration import Registration
from dlir_tf.transforms import Transform


@dataclass(frozen=True, eq=False)
class Measures:
    """How well a transform lays a moving image onto a fixed one.

    All is measured on the fixed image's own grid. A label that only one of the two
    images has counts with a Dice of 0, and its distances are NaN.

    Attributes:
        ncc: Normalised cross-correlation, from -1 to 1, over the voxels that come
            from inside the moving image, without padding of CT; NaN if these have no
            contrast. With masks, only over voxels inside the fixed mask that come from
            inside the moving mask. All other measures are over the whole grid,
            whatever the masks.
        folded_percent: Share of voxels where the transform folds.
        std_log_jacobian: Standard deviation of the log of its determinant.
        dice: Label to overlap; empty without labels.
        surface: Label to surface distances in mm; empty without labels.
        landmark_errors: `(num_points,)`, in mm; `None` without landmarks.
    """

    ncc: float
    folded_percent: float
    std_log_jacobian: float
    dice: dict[int, float] = field(default_factory=dict)
    surface: dict[int, SurfaceDistances] = field(default_factory=dict)
    landmark_errors: np.ndarray | None = None


def measure(
    loaded: LoadedPair,
    transform: Transform,
    *,
    displacement: np.ndarray | None = None,
    moved: Image | None = None,
) -> Measures:
    """Measures how well a transform registers a pair.

    Args:
        loaded: Images, and labels and landmarks if there are any.
        transform: From the world of the fixed image to that of the moving image.
        displacement: What `transform.displacement` says on the fixed grid, if it's at
            hand, as a registration has it.
        moved: The moving image that the transform moved there, likewise.
    """
    fixed, moving = loaded.fixed, loaded.moving
    if displacement is None:
        displacement = transform.displacement(fixed)
    if moved is None:
        moved = transform.resample(moving, fixed, displacement=displacement)
    counting = inside_moving(fixed.grid, moving.grid, displacement)
    counting &= _inside_masks(loaded, transform, displacement)
    # World mm to steps along the fixed image's axes, as the determinant wants them.
    to_steps = fixed.grid.inverse[:-1, :-1].astype(np.float32)
    jacobian = jacobian_determinant(displacement @ to_steps.T)
    overlaps, surfaces = _compare_labels(loaded, transform, displacement)
    errors = None
    if loaded.points is not None:
        fixed_points, moving_points = loaded.points
        errors = landmark_errors(transform.map_points(fixed_points), moving_points)
    return Measures(
        ncc=_ncc(fixed.array[counting], moved.array[counting]),
        folded_percent=folded_percent(jacobian),
        std_log_jacobian=std_log_jacobian(jacobian),
        dice=overlaps,
        surface=surfaces,
        landmark_errors=errors,
    )


def measure_registration(loaded: LoadedPair, result: Registration) -> Measures:
    """Measures what a registration gave, without computing any of it again."""
    return measure(
        loaded, result.transform, displacement=result.displacement, moved=result.moved
    )


def _inside_masks(
    loaded: LoadedPair, transform: Transform, displacement: np.ndarray
) -> np.ndarray:
    """Which fixed voxels are inside the fixed mask and come from the moving one's.

    Padding of a CT is inside none. A point between voxels of the moving image is inside
    if all of those are that its intensity is interpolated from.
    """
    inside = np.ones(loaded.fixed.shape, bool)
    counting = counting_voxels(loaded.fixed_mask, padding_voxels(loaded.fixed))
    if counting is not None:
        inside &= counting
    moving = loaded.moving
    counting = counting_voxels(loaded.moving_mask, padding_voxels(moving))
    if counting is not None:
        share = transform.resample(
            moving.with_array(counting.astype(np.float32)),
            loaded.fixed,
            displacement=displacement,
        )
        inside &= is_wholly_inside(share.array)
    return inside


def _ncc(a: np.ndarray, b: np.ndarray) -> float:
    if not a.size or a.min() == a.max() or b.min() == b.max():
        return float("nan")
    return float(np.corrcoef(a.astype(np.float64), b.astype(np.float64))[0, 1])


def label_overlaps(
    labels: tuple[Image, Image],
    transform: Transform,
    displacement: np.ndarray | None = None,
) -> dict[int, float]:
    """Dice of every label that either image has, 0 for one that only one of them has.

    Args:
        labels: Of the fixed and of the moving image.
        transform: From the world of the fixed image to that of the moving image.
        displacement: What it says on the fixed grid, if it's at hand.
    """
    moved = _moved_labels(labels, transform, displacement)
    return _overlaps(labels[0].array, moved, _label_values(labels))


def _moved_labels(
    labels: tuple[Image, Image], transform: Transform, displacement: np.ndarray | None
) -> np.ndarray:
    fixed, moving = labels
    return transform.resample(
        moving, fixed, displacement=displacement, interpolation="nearest"
    ).array


def _label_values(labels: tuple[Image, Image]) -> np.ndarray:
    """All values in increasing order, 0 among them."""
    fixed, moving = labels
    return np.union1d(np.union1d(fixed.array, moving.array), [0])


def _overlaps(
    fixed: np.ndarray, moved: np.ndarray, values: np.ndarray
) -> dict[int, float]:
    scores = dice(fixed, moved, [int(value) for value in values if value != 0])
    # NaN is a moving label that was moved out of the grid: no overlap either.
    return {k: 0.0 if np.isnan(v) else v for k, v in scores.items()}


def _compare_labels(
    loaded: LoadedPair, transform: Transform, displacement: np.ndarray
) -> tuple[dict[int, float], dict[int, SurfaceDistances]]:
    """Dice and surface distances of every label that either image has."""
    if loaded.labels is None:
        return {}, {}
    fixed = loaded.labels[0]
    moved = _moved_labels(loaded.labels, transform, displacement)
    values = _label_values(loaded.labels)
    overlaps = _overlaps(fixed.array, moved, values)
    # One search for all labels, then each in its box: far faster than whole masks.
    codes = [np.searchsorted(values, array) + 1 for array in (fixed.array, moved)]
    found = [ndimage.find_objects(code, len(values)) for code in codes]
    surfaces = {}
    for code, (value, *boxes) in enumerate(zip(values, *found, strict=True), start=1):
        if value != 0:
            box = _union(boxes, fixed.ndim)
            a_mask, b_mask = (array[box] == code for array in codes)
            distances = surface_distances(a_mask, b_mask, fixed.spacing)
            surfaces[int(value)] = distances
    return overlaps, surfaces


def _union(boxes: Sequence[tuple[slice, ...] | None], ndim: int) -> tuple[slice, ...]:
    """The smallest box that holds all boxes; an empty one if there are none."""
    there = [box for box in boxes if box is not None]
    if not there:
        return (slice(0, 0),) * ndim
    return tuple(
        slice(min(s.start for s in along), max(s.stop for s in along))
        for along in zip(*there, strict=True)
    )
