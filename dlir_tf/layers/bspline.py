"""Cubic B-splines: from the control points of a lattice to a dense field."""

import operator
from typing import Any

import keras
import numpy as np
from keras import ops

from dlir_tf.compute.compilation import compiled_island
from dlir_tf.layers.checks import per_axis
from dlir_tf.splines.lattice import (
    BORDER,
    INJECTIVITY_LIMIT,
    lattice_coordinate,
    spline_window,
)

Tensor = Any


def bound_control_points(
    control_points: Tensor, control_point_spacing: int | tuple[int, ...]
) -> Tensor:
    """Limits control points smoothly so that their spline can't fold.

    Args:
        control_points: `(batch, *lattice_shape, ndim)`, any values, in voxels.
        control_point_spacing: Voxels between neighbours, an int or one per axis.

    Returns:
        `limit * tanh(control_points / limit)`, where `limit` is the spacing over
        2.0464 (2-d) or 2.4795 (3-d) along each axis; small values stay as they are.
    """
    ndim = control_points.shape[-1]
    spacing = per_axis("control_point_spacing", control_point_spacing, ndim)
    limit = np.asarray(spacing, "float32") * np.float32(INJECTIVITY_LIMIT[ndim])
    return ops.multiply(ops.tanh(ops.divide(control_points, limit)), limit)


@keras.saving.register_keras_serializable(package="dlir_tf")
class BSplineTransformer(keras.layers.Layer):
    """Expands cubic B-spline control points into a dense displacement field.

    A registration network predicts few numbers: one displacement per control
    point of a coarse lattice. This layer evaluates the spline that they define at
    every voxel, which gives a field that is smooth (C2) by construction. It has no
    weights; gradients flow to the control points.

    Control point `m` of an axis with spacing `s` lies at voxel
    `s * m + (s - 1) / 2 - 2 * s`. An ITK `BSplineTransform` of order 3 on this
    lattice gives the same displacement at every voxel, borders included.

    Reference:

    - Rueckert et al. (1999), "Nonrigid registration using free-form deformations",
      IEEE TMI 18(8). https://doi.org/10.1109/42.796284

    Args:
        control_point_spacing: Int or tuple of `ndim` ints, voxels between
            neighbouring control points along each axis.
        injective: Whether to limit the control points first, by
            `bound_control_points`, so that the transform can't fold.

    Call arguments:
        control_points: Displacements in voxels.

    Input shape:
        `(batch, *lattice_shape, ndim)`, where `lattice_shape` is
        `size / control_point_spacing + 4` along each axis.

    Output shape:
        `(batch, *size, ndim)`: the displacement field, in voxels. Voxel `p` of the
        fixed image belongs to the point `p + ddf[p]` of the moving image.

    Raises:
        ValueError: If a spacing isn't a positive int, or the control points don't
            have the rank and the number of components of a 2-d or 3-d lattice of
            at least five points along each axis.

    Example:

    >>> layer = BSplineTransformer((8, 8, 4))
    >>> tuple(layer(keras.ops.zeros((1, 12, 12, 12, 3))).shape)
    (1, 64, 64, 32, 3)
    """

    def __init__(
        self,
        control_point_spacing: int | tuple[int, ...],
        injective: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.control_point_spacing = _checked_spacing(control_point_spacing)
        self.injective = injective

    def call(self, control_points: Tensor) -> Tensor:
        spacing = self._spacing_of(control_points)
        if self.injective:
            control_points = bound_control_points(control_points, spacing)
        return _expand(control_points, spacing=spacing)

    def compute_output_shape(self, control_points_shape: Any) -> tuple[Any, ...]:
        batch, *lattice, ndim = control_points_shape
        spacing = per_axis("control_point_spacing", self.control_point_spacing, ndim)
        size = [
            None if n is None else (n - 2 * BORDER) * s
            for n, s in zip(lattice, spacing, strict=True)
        ]
        return (batch, *size, ndim)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "control_point_spacing": self.control_point_spacing,
            "injective": self.injective,
        }

    def _spacing_of(self, control_points: Tensor) -> tuple[int, ...]:
        _, *lattice, ndim = control_points.shape
        if ndim not in (2, 3) or len(lattice) != ndim:
            raise ValueError(
                "BSplineTransformer: control points must be shaped (batch, "
                "*lattice_shape, ndim) with ndim 2 or 3. "
                f"Received: {tuple(control_points.shape)}"
            )
        if any(n is not None and n <= 2 * BORDER for n in lattice):
            raise ValueError(
                "BSplineTransformer: a lattice has at least 5 control points along "
                f"every axis (size / spacing + 4). Received: {tuple(lattice)}"
            )
        return per_axis("control_point_spacing", self.control_point_spacing, ndim)


def _checked_spacing(spacing: Any) -> int | tuple[int, ...]:
    """A positive int or a tuple of them; a list is what a saved config holds."""
    values = spacing if isinstance(spacing, list | tuple) else (spacing,)
    try:
        ints = tuple(operator.index(value) for value in values)
    except TypeError:
        ints = ()
    if min(ints, default=0) < 1:
        raise ValueError(
            "control_point_spacing: must be an int or one int per axis, at least one "
            f"voxel. Received: {spacing}"
        )
    return ints if isinstance(spacing, list | tuple) else ints[0]


@compiled_island
def _expand(control_points: Tensor, *, spacing: tuple[int, ...]) -> Tensor:
    # The last axis first, so that the largest pass, which is the last one, adds up long
    # runs of memory; the other way round, it takes twice as long, without XLA three
    # times.
    field = control_points
    for axis, step in reversed(list(enumerate(spacing, start=1))):
        field = _expand_axis(field, axis, step)
    return field


def _expand_axis(values: Tensor, axis: int, step: int) -> Tensor:
    """Splits one axis of lattice cells into its voxels: `(n + 4) -> n * step`."""
    shape = ops.shape(values)
    before, after = shape[:axis], shape[axis + 1 :]
    num_cells = shape[axis] - 2 * BORDER
    phases = [1] * (axis + 1) + [step] + [1] * len(after)
    total: Tensor = 0.0
    # Four of the five count for a voxel; which four depends on its half of the cell.
    for tap, weights in enumerate(voxel_weights(1, step).T):
        window = [slice(None)] * axis + [slice(tap, tap + num_cells)]
        shifted = ops.expand_dims(values[tuple(window)], axis + 1)
        total = total + shifted * ops.reshape(weights, phases)
    return ops.reshape(total, (*before, num_cells * step, *after))


def voxel_weights(num_cells: int, step: int) -> np.ndarray:
    """What the control points along an axis weigh for each of its voxels, float32."""
    positions = lattice_coordinate(np.arange(num_cells * step), step)
    distances = positions[:, None] - np.arange(num_cells + 2 * BORDER)
    return np.asarray(spline_window(distances), "float32")
