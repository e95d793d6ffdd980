"""Measuring a displacement field on the fixed image's own grid."""

import math
from dataclasses import dataclass

import numpy as np

from dlir_tf.images import Grid, Image
from dlir_tf.images.grid import is_within
from dlir_tf.metrics import folded_percent, jacobian_determinant, std_log_jacobian
from dlir_tf.transforms import Transform
from dlir_tf.transforms.slabs import each_slab


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
) -> FieldMeasures:
    """Measures a displacement field, in slabs, so that it takes little memory.

    Args:
        displacement: `(*fixed.shape, ndim)`, mm, RAS+.
        fixed: The fixed image's grid.
        moving: The moving image's grid.
        initial: The initial alignment, from fixed to moving points.
        fixed_mask: Which fixed voxels count in the overlap, bool.
    """
    # World mm to steps along the fixed image's axes, as the determinant wants them.
    to_steps = fixed.inverse[:-1, :-1].astype(np.float32)
    jacobian = np.empty(fixed.shape, np.float32)
    lengths = np.empty(fixed.shape, np.float32)
    affine = initial.affine_part - np.eye(fixed.ndim + 1)

    def fill(rows: slice, slab: Grid) -> None:
        # A row more on either side, for the differences.
        first = max(rows.start - 1, 0)
        around = displacement[first : rows.stop + 1]
        steps = np.stack([_along(row, around) for row in to_steps])
        inner = slice(rows.start - first, rows.stop - first)
        jacobian[rows] = jacobian_determinant(np.moveaxis(steps, 0, -1))[inner]
        own = displacement[rows]
        if not initial.is_affine:
            own = own - initial.displacement(slab)
        elif affine.any():
            own = own - _by_matrix(affine, slab)
        lengths[rows] = np.sqrt(np.einsum("...c,...c->...", own, own))

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
            position = _along(row, displacement[rows])
            position += np.float32(matrix[axis, -1])
            for step, along in zip(matrix[axis, :-1], steps, strict=True):
                position += (step * along).astype(np.float32)
            within &= is_within(size, position)
        inside[rows] = within

    each_slab(fixed, fill)
    return inside


def _along(row: np.ndarray, field: np.ndarray) -> np.ndarray:
    """The product of vectors with a row; BLAS would start threads of its own."""
    product = field[..., 0] * row[0]
    for component in range(1, len(row)):
        if row[component]:
            product += field[..., component] * row[component]
    return product


def _by_matrix(difference: np.ndarray, slab: Grid) -> np.ndarray:
    """The displacements of a matrix less the identity, at a slab's voxels."""
    shift = difference[:-1, -1].astype(np.float32)
    if not difference[:-1, :-1].any():
        return shift
    return (slab.points() @ difference[:-1, :-1].T).astype(np.float32) + shift
