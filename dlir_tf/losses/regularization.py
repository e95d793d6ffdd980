"""Roughness of a spline, from its control points alone."""

import math
from typing import Any

import numpy as np
from keras import ops

from dlir_tf.compute.compilation import compiled_fixed_island
from dlir_tf.layers.checks import per_axis
from dlir_tf.splines.lattice import STENCILS

Tensor = Any


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
    spacing = ops.convert_to_tensor(spacing, "float32")
    axes = [1] * ndim
    in_mm = control_points * ops.reshape(spacing, (-1, *axes, ndim))
    knot_spacing = spacing * np.asarray(steps, "float32")
    return _energy(in_mm, knot_spacing)


@compiled_fixed_island
def _energy(in_mm: Tensor, knot_spacing: Tensor) -> Tensor:
    ndim = in_mm.shape[-1]
    # By the number of derivatives so far: along which axes, and those lattices.
    found: dict[int, list[tuple[tuple[int, ...], Tensor]]] = {0: [((), in_mm)]}
    for axis in range(ndim):
        last = axis == ndim - 1
        further: dict[int, list[tuple[tuple[int, ...], Tensor]]] = {}
        for count, parts in found.items():
            for order in range(2 - count if last else 0, 3 - count):
                further.setdefault(count + order, []).extend(
                    (axes + (axis,) * order, _derive(part, axis + 1, order))
                    for axes, part in parts
                )
        found = further
    energy: Tensor = 0.0
    for (a, b), derivative in found[2]:
        weight = _weight(a, b, knot_spacing, num_axes=ndim + 1)
        energy = energy + weight * ops.square(derivative)
    summed = ops.sum(energy, axis=-1)
    return ops.mean(summed, axis=tuple(range(1, ndim + 1)))


def _weight(a: int, b: int, knot_spacing: Tensor, num_axes: int) -> Tensor:
    per_mm = 1.0 / ops.square(knot_spacing[:, a] * knot_spacing[:, b])
    return (1.0 if a == b else 2.0) * ops.reshape(per_mm, (-1, *[1] * num_axes))


def _derive(values: Tensor, axis: int, order: int) -> Tensor:
    """The derivatives at the knots along an axis; the outermost ones have none."""
    stencil, shape = STENCILS[order], ops.shape(values)
    before, size, after = shape[:axis], shape[axis], shape[axis + 1 :]
    if values.shape[axis] is not None:
        # A product with a small matrix is compiled and differentiated faster.
        matrix = sum(w * np.eye(size - 2, size, tap) for tap, w in enumerate(stencil))
        lines = ops.reshape(values, (-1, size, math.prod(after)))
        product = ops.matmul(np.asarray(matrix, "float32"), lines)
        return ops.reshape(product, (*before, size - 2, *after))
    total: Tensor = 0.0
    for tap, weight in enumerate(stencil):
        if weight:
            index = [slice(None)] * axis + [slice(tap, tap + size - 2)]
            total = total + weight * values[tuple(index)]
    return total
