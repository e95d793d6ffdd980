"""The lattice of a cubic B-spline: what its control points weigh, and where they lie.

Written in Python's operators alone, so NumPy's arrays are as welcome as tensors of
Keras or TensorFlow, in a graph or out of it: each function gives back what it's given.

In lattice coordinates, control point `m` has its peak at `m`. A position `t` in the
cell `i = floor(t)` is influenced by the control points `i - 1` to `i + 2`, so a lattice
of `n` of them defines the spline from 1 to `n - 2`. Over an image, with `s` voxels
between neighbours, control point `m` lies at voxel `s m + (s - 1) / 2 - 2 s`: in the
middle of a block of `s` voxels, with two blocks beyond each end of the image.
"""

from collections.abc import Iterable
from typing import Any

Array = Any

# Control points beyond the image on each side of an axis.
BORDER = 2

# Largest |control point| / spacing that keeps a cubic B-spline one-to-one, by rank.
# Choi and Lee (2000), "Injectivity conditions of 2D and 3D uniform cubic B-spline
# functions", Graphical Models 62(6). https://doi.org/10.1006/gmod.2000.0531
INJECTIVITY_LIMIT = {2: 1 / 2.0464, 3: 1 / 2.4795}


def spline_weights(offset: Array) -> tuple[Array, Array, Array, Array]:
    """What the four control points around a place in a cell weigh; their sum is 1.

    Args:
        offset: A position minus its cell, 0 to 1, any shape.
    """
    u, v = offset, 1 - offset
    middle = (3 * u * u * u - 6 * u * u + 4) / 6, (3 * v * v * v - 6 * v * v + 4) / 6
    return v * v * v / 6, *middle, u * u * u / 6


def spline_slopes(offset: Array) -> tuple[Array, Array, Array, Array]:
    """The derivatives of the weights, per lattice step."""
    u, v = offset, 1 - offset
    return -(v * v) / 2, 1.5 * u * u - 2 * u, 2 * v - 1.5 * v * v, u * u / 2


def spline_window(distance: Array) -> Array:
    """What a control point weighs at a distance in lattice steps; 0 from two on.

    The same weights, for those who go through all control points (or the bins of a
    histogram) instead of looking for the four that count.
    """
    near, far = 1 - abs(distance), 2 - abs(distance)
    # Twice what is positive of them.
    near, far = near + abs(near), far + abs(far)
    return (far**3 - 4 * near**3) / 48


# Value, first and second derivative of a spline at a control point, per lattice step:
# what the control points before, at and after it weigh.
STENCILS = spline_weights(0.0)[:3], spline_slopes(0.0)[:3], (1.0, -2.0, 1.0)


def lattice_shape(size: Iterable[int], spacing: Iterable[int]) -> tuple[int, ...]:
    """How many control points an image has, per axis.

    Args:
        size: The image's, voxels per axis, multiples of the spacing.
        spacing: Voxels between neighbouring control points, per axis.
    """
    return tuple(n // s + 2 * BORDER for n, s in zip(size, spacing, strict=True))


def lattice_origin(spacing: Array) -> Array:
    """The voxel coordinate of the first control point of an axis."""
    return (spacing - 1) / 2 - BORDER * spacing


def lattice_coordinate(voxel: Array, spacing: Array) -> Array:
    """Where a voxel of the image lies on the lattice; the way back of the above."""
    return (voxel + 0.5) / spacing + (BORDER - 0.5)


def inside_axis(positions: Array, size: Array, rounding: float = 1e-9) -> Array:
    """Which positions along an axis the spline is defined at, bool.

    Args:
        positions: Lattice coordinates.
        size: How many control points there are.
        rounding: What a position on the border may lie beyond it.
    """
    return (positions >= 1 - rounding) & (positions <= size - 2 + rounding)
