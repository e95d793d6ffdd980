"""Measuring a displacement field on the fixed image's own grid."""

import math
from dataclasses import dataclass

import numpy as np

from dlir_tf.images import Grid, Image
from dlir_tf.images.grid import is_within
from dlir_tf.metrics import folded_percent, std_log_jacobian
from dlir_tf.numerics import UNCOMPILED, Numerics
from dlir_tf.transforms import Transform
from dlir_tf.transforms.slabs import each_slab, times_row


@dataclass(frozen=True)
class FieldMeasures:
    """What a displacement field does.

    Attributes:
        smallest_jacobian: The smallest Jacobian determinant.
        folded_percent: Share of voxels where it's at most 0.
        std_log_jacobian: Standard deviation of its logarithm.
        largest_displacement: In mm, beyond what the initial alignment does.
        mean_displacement: Likewise.
        overlap_percent: Share of the fixed voxels that come from inside the moving
            image; with a fixed mask, of the voxels inside that.
        shown_percent: Share of the moving image that the fixed one shows.
    """

    smallest_jacobian: float
    folded_percent: float
    std_log_jacobian: float
    largest_displacement: float
    mean_displacement: float
    overlap_percent: float
    shown_percent: float


def measure_field(
    displacement: np.ndarray,
    fixed: Grid,
    moving: Grid,
    initial: Transform,
    fixed_mask: Image | None = None,
    numerics: Numerics = UNCOMPILED,
) -> FieldMeasures:
    """Measures a displacement field, in slabs, so that it takes little memory.

    Args:
        displacement: `(*fixed.shape, ndim)`, mm, RAS+.
        fixed: The fixed image's grid.
        moving: The moving image's grid.
        initial: The initial alignment, from fixed to moving points.
        fixed_mask: Which fixed voxels count in the overlap, bool.
        numerics: What measures the change of volume.
    """
    # World mm to steps along the fixed image's axes, as the determinant wants them.
    jacobian = numerics.volumes(displacement, fixed.inverse[:-1, :-1])
    lengths = np.empty(fixed.shape, np.float32)
    affine = initial.affine_part - np.eye(fixed.ndim + 1)

    def fill(rows: slice, slab: Grid) -> None:
        own = displacement[rows]
        if not initial.is_affine:
            own = own - initial.displacement(slab)
            affine_there = np.zeros_like(affine)
        else:
            affine_there = affine @ slab.affine
        lengths[rows] = _lengths_without(affine_there, own)

    each_slab(fixed, fill)
    counting = inside_moving(fixed, moving, displacement)
    shown = jacobian.sum(where=counting, dtype=np.float64) * _volume(fixed)
    if fixed_mask is not None:
        counting = counting[fixed_mask.array]
    return FieldMeasures(
        smallest_jacobian=float(jacobian.min()),
        folded_percent=folded_percent(jacobian),
        std_log_jacobian=std_log_jacobian(jacobian),
        largest_displacement=float(lengths.max()),
        mean_displacement=float(lengths.mean(dtype=np.float64)),
        overlap_percent=float(100 * np.mean(counting)) if counting.size else 0.0,
        shown_percent=float(100 * shown / (math.prod(moving.shape) * _volume(moving))),
    )


def _volume(grid: Grid) -> float:
    """Of a voxel, in mm of so many dimensions."""
    return float(abs(np.linalg.det(grid.affine[:-1, :-1])))


def inside_moving(fixed: Grid, moving: Grid, displacement: np.ndarray) -> np.ndarray:
    """Which fixed voxels come from within the moving image, half a voxel included.

    Args:
        fixed: The fixed image's grid.
        moving: The moving image's grid.
        displacement: `(*fixed.shape, ndim)`, mm, RAS+.

    Returns:
        `fixed.shape`, bool.
    """
    inside = np.empty(fixed.shape, bool)

    def fill(rows: slice, slab: Grid) -> None:
        matrix = moving.inverse @ slab.affine
        steps = np.ogrid[tuple(slice(size) for size in slab.shape)]
        within = np.ones(slab.shape, bool)
        for axis, size in enumerate(moving.shape):
            # One axis at a time: a whole coordinate field would be the largest array.
            row = moving.inverse[axis, :-1].astype(np.float32)
            position = times_row(displacement[rows], row)
            position += np.float32(matrix[axis, -1])
            for step, along in zip(matrix[axis, :-1], steps, strict=True):
                position += (step * along).astype(np.float32)
            within &= is_within(size, position)
        inside[rows] = within

    each_slab(fixed, fill)
    return inside


def _lengths_without(matrix: np.ndarray, field: np.ndarray) -> np.ndarray:
    """How long vectors are without what a matrix of voxels says there."""
    steps = np.ogrid[tuple(slice(size) for size in field.shape[:-1])]
    total = np.zeros(field.shape[:-1])
    for component, row in enumerate(matrix[:-1]):
        own = field[..., component] - row[-1]
        for step, along in zip(row[:-1], steps, strict=True):
            if step:
                own -= step * along
        own *= own
        total += own
    return np.sqrt(total, out=total)
