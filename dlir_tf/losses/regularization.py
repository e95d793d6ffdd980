"""Roughness of a spline, from its control points alone."""

import itertools
from typing import Any

import numpy as np
from keras import ops

from dlir_tf.layers.checks import per_axis

Tensor = Any

# Value, first and second derivative of a cubic B-spline at a knot, as weights of
# the control points before, at and after it (the derivatives per unit spacing).
_STENCILS = np.array(
    [[1 / 6, 4 / 6, 1 / 6], [-1 / 2, 0, 1 / 2], [1, -2, 1]], dtype="float32"
)


def bending_energy(
    control_points: Tensor,
    control_point_spacing: int | tuple[int, ...],
    spacing: Tensor,
) -> Tensor:
    """Mean bending energy of a cubic B-spline over its knots, exact, in mm.

    The second derivatives of the spline at its knots are 3-tap stencils on the
    control points, so this costs next to nothing and doesn't depend on the
    resolution of the image. Affine displacements have none.

    Reference:

    - Rueckert et al. (1999), IEEE TMI 18(8). https://doi.org/10.1109/42.796284

    Args:
        control_points: Displacements in voxels, `(batch, *lattice_shape, ndim)`.
        control_point_spacing: Voxels between neighbouring control points, an int
            or one per axis.
        spacing: Voxel size in mm, `(batch, ndim)`.

    Returns:
        `(batch,)`, in 1/mm²: the squared second derivatives, mixed ones counted
        twice, summed over the components of the displacement.

    Example: a quadratic, x² / 2 mm, has the second derivative 1/mm.

    >>> from keras import ops
    >>> squares = ops.arange(6.0)[:, None] ** 2 / 2 * ops.ones((1, 5))
    >>> points = ops.stack([squares, 0 * squares], axis=-1)[None]
    >>> float(bending_energy(points, 1, ops.ones((1, 2)))[0])
    1.0
    """
    ndim = control_points.shape[-1]
    steps = per_axis("control_point_spacing", control_point_spacing, ndim)
    axes = [1] * ndim
    in_mm = control_points * ops.reshape(spacing, (-1, *axes, ndim))
    knot_spacing = spacing * np.asarray(steps, "float32")
    energy: Tensor = 0.0
    for a, b in itertools.combinations_with_replacement(range(ndim), 2):
        orders = [(axis == a) + (axis == b) for axis in range(ndim)]
        derivative = in_mm
        for axis, order in enumerate(orders, start=1):
            derivative = _apply_stencil(derivative, axis, _STENCILS[order])
        per_mm = ops.reshape(knot_spacing[:, a] * knot_spacing[:, b], (-1, *axes, 1))
        twice = 1.0 if a == b else 2.0
        energy = energy + twice * ops.square(derivative / per_mm)
    summed = ops.sum(energy, axis=-1)
    return ops.mean(summed, axis=tuple(range(1, ndim + 1)))


def _apply_stencil(values: Tensor, axis: int, stencil: np.ndarray) -> Tensor:
    size = ops.shape(values)[axis]
    total: Tensor = 0.0
    for tap, weight in enumerate(stencil):
        if weight:
            index = [slice(None)] * axis + [slice(tap, tap + size - 2)]
            total = total + float(weight) * values[tuple(index)]
    return total
