"""What a file can't hold as it is: as a displacement at every voxel of a grid.

Between voxel centres such a field is interpolated linearly, which makes an error; it is
measured here, so that nobody has to trust the grid to be fine enough.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dlir_tf.errors import InputError
from dlir_tf.images import Grid
from dlir_tf.transforms.affine import Affine
from dlir_tf.transforms.component import Component
from dlir_tf.transforms.dense_field import DenseField
from dlir_tf.transforms.inverse import Inverse
from dlir_tf.transforms.transform import Transform

_NUM_POINTS = 20_000


def simplified(component: Component) -> Component:
    """The same map, without an `Inverse` around what has an exact inverse."""
    if isinstance(component, Inverse):
        inner = simplified(component.component)
        if isinstance(inner, Affine | Inverse):
            return inner.inverse()
    return component


def grid_for(path: Path, reference: Grid | None) -> Grid:
    """The grid of a dense form.

    Args:
        path: The file to be written, for the message.
        reference: The grid, if one was given.

    Raises:
        InputError: If none was given.
    """
    if reference is None:
        raise InputError(
            "such a file holds this transform as displacements at the voxels of a "
            "grid, but no grid was given; give the fixed image as the reference",
            place=path,
        )
    return reference


def dense_form(
    path: Path, components: Sequence[Component], reference: Grid | None
) -> DenseField:
    """One field for several components, in the precision of a NIfTI file.

    A single `DenseField` keeps its own grid, so that nothing is lost; the reference
    counts only if its own is sheared, which NIfTI files of fields can't be.

    Args:
        path: The file to be written, for the message.
        components: What the field stands for; none for a field of zeros.
        reference: The grid.

    Raises:
        InputError: If a grid is needed and there is none.
    """
    first = components[0] if len(components) == 1 else None
    if isinstance(first, DenseField) and (
        reference is None or not first.grid.is_sheared
    ):
        field, grid = first.displacement, first.grid
    else:
        grid = grid_for(path, reference)
        nothing = (Affine(np.eye(grid.ndim + 1)),)
        field = Transform(tuple(components) or nothing).displacement(grid)
    affine = grid.affine.astype(np.float32)
    return DenseField(field.astype(np.float32, copy=False), affine)


def vectors_form(
    path: Path, transform: Transform, reference: Grid | None, *, positions: bool
) -> tuple[npt.NDArray[np.float32], Grid, float]:
    """One field for a transform, in RAS+ mm, as SPM and NiftyReg store theirs.

    Args:
        path: The file to be written, for the message.
        transform: What to write. A single `DenseField` keeps its own grid.
        reference: The grid.
        positions: Whether each vector says where its voxel goes, instead of how far.

    Returns:
        The vectors, `(*shape, ndim)`; their grid; and the largest error in mm, by
        `largest_error`, with the rounding of positions.

    Raises:
        InputError: If a grid is needed and there is none, or its axes aren't
            perpendicular.
    """
    components = [simplified(component) for component in transform.components]
    field = dense_form(path, components, reference)
    grid, vectors = field.grid, field.displacement
    if grid.is_sheared:
        raise InputError(
            "a deformation must lie on perpendicular axes to be read again, but the "
            "grid is sheared; give it on the grid of another image",
            place=path,
        )
    if positions:
        vectors = (grid.points() + vectors).astype(np.float32)
        field = DenseField(vectors - grid.points(), field.affine)
    return vectors, grid, largest_error(transform, Transform((field,)), grid)


def without_single_axes(field: DenseField) -> DenseField:
    """Repeats the voxels of a field along axes that have only one.

    ITK forgets where a NIfTI field of one slice lies, and ANTs then leaves it out, in
    silence. With a second slice like the first, the field is the same there.
    """
    shape = field.displacement.shape[:-1]
    if 1 not in shape:
        return field
    repeats = [(0, int(size == 1)) for size in shape]
    displacement = np.pad(field.displacement, [*repeats, (0, 0)], mode="edge")
    return DenseField(displacement, field.affine)


def largest_error(transform: Transform, written: Transform, grid: Grid) -> float:
    """Measures the error of a written form.

    Args:
        transform: What should have been written.
        written: What was.
        grid: Where.

    Returns:
        The largest distance, in mm, between where the two take a point, among 20 000
        points spread at random, always the same ones, between the grid's outermost
        voxel centres.
    """
    generator = np.random.default_rng(0)
    last = np.asarray(grid.shape) - 1.0
    points = grid.to_world(last * generator.uniform(size=(_NUM_POINTS, grid.ndim)))
    apart = written.map_points(points) - transform.map_points(points)
    return float(np.linalg.norm(apart, axis=-1).max())
