"""Numerics, and those by NumPy and SciPy alone."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from dlir_tf.compute.threads import in_threads, num_cores
from dlir_tf.images import Grid
from dlir_tf.metrics import jacobian_determinant
from dlir_tf.transforms import BSpline
from dlir_tf.transforms.slabs import each_slab, times_row


@dataclass(frozen=True)
class Numerics:
    """What evaluates splines, and samples images and fields.

    All images and fields are on one grid and in its voxels, float32. What is sampled
    outside goes on as at the border.

    Attributes:
        bspline: The class of a transform's splines.
        warp: Takes an image and displacements `(ndim, *image.shape)`; returns its
            values at the displaced voxels.
        compose: Takes two fields `(ndim, *shape)`, the outer one first, which is
            applied last to a point; returns the field of both.
        volumes: Takes a field `(*size, ndim)`, in any unit, and the matrix from that to
            voxels along the axes; returns the determinant of its Jacobian, `size` (see
            `dlir_tf.metrics.jacobian_determinant`).
    """

    bspline: type[BSpline]
    warp: Callable[[np.ndarray, np.ndarray], np.ndarray]
    compose: Callable[[np.ndarray, np.ndarray], np.ndarray]
    volumes: Callable[[np.ndarray, np.ndarray], np.ndarray]


def warp(image: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """Warps an image; see `Numerics`."""
    return _sample(image[None], displacement)[0]


def compose(outer: np.ndarray, inner: np.ndarray) -> np.ndarray:
    """Composes two fields; see `Numerics`."""
    return inner + _sample(outer, inner)


def volumes(field: np.ndarray, to_steps: np.ndarray) -> np.ndarray:
    """Says how a field changes volumes; see `Numerics`."""
    size, factors = field.shape[:-1], to_steps.astype(np.float32)
    result = np.empty(size, np.float32)

    def fill(rows: slice, _slab: Grid) -> None:
        # A row more on either side, for the differences.
        first = max(rows.start - 1, 0)
        around = field[first : rows.stop + 1]
        steps = np.stack([times_row(around, row) for row in factors], axis=-1)
        inner = slice(rows.start - first, rows.stop - first)
        result[rows] = jacobian_determinant(steps)[inner]

    each_slab(Grid(size, np.eye(len(size) + 1)), fill)
    return result


def _sample(channels: np.ndarray, displacement: np.ndarray) -> np.ndarray:
    """Channels `(num_channels, *size)` at displaced voxels, by SciPy on all cores."""
    places = np.indices(displacement.shape[1:], np.float32) + displacement
    result = np.empty(channels.shape, np.float32)
    num_rows = places.shape[1]
    bounds = np.linspace(0, num_rows, min(num_cores(), num_rows) + 1).astype(int)

    def fill(first: int, last: int) -> None:
        for channel, values in zip(channels, result, strict=True):
            ndimage.map_coordinates(
                channel,
                places[:, first:last],
                output=values[first:last],
                order=1,
                mode="nearest",
                prefilter=False,
            )

    in_threads(fill, bounds[:-1], bounds[1:])
    return result


UNCOMPILED = Numerics(BSpline, warp, compose, volumes)
