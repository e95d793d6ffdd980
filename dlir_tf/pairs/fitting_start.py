"""Transforms that a registration goes on from: of the rank of what is registered.

What a registration of two slices gives is 3-d; this takes it back to the plane in which
they are registered, as `SlicePlane.to_world` had taken it from there.
"""

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images import Grid
from dlir_tf.pairs.slices import SlicePlane
from dlir_tf.transforms import Affine, BSpline, Component, Transform

_IN_PLANE = [0, 1, 3]
_NUM_TRIED = 500
_LARGEST_ERROR_MM = 0.01


def fitting_start(
    transform: Transform, plane: SlicePlane | None, fixed: Grid
) -> Transform:
    """A transform to start from, as one of what is registered.

    Args:
        transform: From points of the fixed image to points of the moving one, RAS+ mm;
            for slices, that, or in coordinates of their plane.
        plane: Of the two, if they are slices that are registered in it.
        fixed: The grid of what is registered: of slices, in their plane.

    Raises:
        InputError: If it's of another rank, or none of the plane of slices.
    """
    if plane is not None and transform.ndim == 3:
        transform = _in_plane(transform, plane, fixed)
    if transform.ndim != fixed.ndim:
        slices = ", in the plane of the slices" * (plane is not None)
        raise InputError(
            f"initial_transform: must be {fixed.ndim}-d, as what is registered{slices}."
            f" Received: a {transform.ndim}-d transform"
        )
    others = {
        type(component).__name__
        for component in transform.components
        if not isinstance(component, Affine | BSpline)
    }
    if plane is not None and others:
        raise InputError(
            "initial_transform: between slices, it must be made of matrices and "
            f"B-splines. Received: {', '.join(sorted(others))}"
        )
    return transform


def _in_plane(transform: Transform, plane: SlicePlane, fixed: Grid) -> Transform:
    """A 3-d transform between two slices, in coordinates of their plane.

    How high above the fixed plane it takes a point doesn't count: the moving slice is
    where its header says.
    """
    parts: list[Component] = list(transform.components)
    if transform.is_affine:
        parts = [Affine(transform.affine_part)]
    found = [_flat(part, plane.frame) for part in parts]
    flat = [part for part in found if part is not None]
    if len(flat) == len(parts):
        start = Transform(tuple(flat))
        if _error(start, transform, plane, fixed) <= _LARGEST_ERROR_MM:
            return start
    raise InputError(
        "initial_transform: between two slices, a 3-d transform must be one of their "
        "plane, such as a registration of the two has found, but this one isn't; give "
        "a matrix, or what was found between slices of this plane"
    )


def _flat(component: Component, frame: np.ndarray) -> Component | None:
    """A component in plane coordinates, if it can be one."""
    back = np.linalg.inv(frame)
    if isinstance(component, Affine):
        matrix = back @ component.matrix @ frame
        matrix = matrix[np.ix_(_IN_PLANE, _IN_PLANE)]
        matrix[-1] = np.eye(3)[-1]
        return Affine(matrix)
    if not isinstance(component, BSpline):
        return None
    lattice = back @ component.lattice
    across = int(np.argmax(np.abs(lattice[2, :3])))
    points = component.control_points @ frame[:3, :3]
    beside = np.delete(lattice, across, axis=1)[_IN_PLANE]
    return BSpline(points.take(0, across)[..., :2], beside)


def _error(
    start: Transform, transform: Transform, plane: SlicePlane, fixed: Grid
) -> float:
    """How far apart the two take points of the fixed slice, at most, in its plane."""
    generator = np.random.default_rng(0)
    last = np.asarray(fixed.shape) - 1.0
    points = fixed.to_world(last * generator.uniform(size=(_NUM_TRIED, 2)))
    world = points @ plane.frame[:3, :2].T + plane.frame[:3, 3]
    there = plane.flatten_points(transform.map_points(world))
    return float(np.linalg.norm(start.map_points(points) - there, axis=1).max())
