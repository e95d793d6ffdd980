"""Carries landmarks through a transform."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dlir_tf.apply.trust import report_inverse
from dlir_tf.errors import InputError, counted
from dlir_tf.images.points import MarkupPoints, MeshPoints, PointFile, SurfacePoints
from dlir_tf.transforms import Transform


def carry_points(
    path: Path,
    file: PointFile,
    transform: Transform,
    tell: Callable[[str], None] = lambda line: None,
) -> np.ndarray:
    """Maps the landmarks of a file.

    Points where the transform's deformations end are mapped all the same, and
    counted in a warning.

    Args:
        path: The file, for messages.
        file: Its landmarks.
        transform: Maps them: from the fixed to the moving world, or its inverse.
        tell: Is called with what the user should know.

    Returns:
        The mapped points, the shape of `file.points`, RAS+ mm.

    Raises:
        InputError: If the points are of another rank than the transform.
    """
    ndim = file.points.shape[1]
    if ndim != transform.ndim:
        raise InputError(
            f"{path}: the landmarks are {ndim}-d, but the transform is "
            f"{transform.ndim}-d; give a transform between {ndim}-d images"
        )
    outside = np.count_nonzero(~transform.covers(file.points))
    if outside:
        of = f"of {len(file.points)} points"
        told = counted(outside, f"{of} lies", f"{of} lie")
        warnings.warn(
            f"{path}: {told} outside the region that the transform was made for; there "
            "its deformation is zero",
            stacklevel=2,
        )
    line = report_inverse(transform, file.points, str(path))
    if line is not None:
        tell(line)
    if isinstance(file, MeshPoints | SurfacePoints | MarkupPoints):
        for note in file.notes:
            tell(f"{path}: {note}")
    if file.num_unset:
        tell(f"{path}: points without a position, left alone: {file.num_unset}")
    return transform.map_points(file.points)


def turn_normals(file: PointFile, transform: Transform) -> PointFile:
    """Turns the normals of a mesh, if it has any, as its surface is turned.

    At each vertex by the cofactors of the transform's derivatives there: what two
    edges that are moved span, is at a right angle to both. Their length is 1.

    Args:
        file: Any file of points; others than meshes come back as they are.
        transform: As in `carry_points`.

    Returns:
        The same file with normals that belong to the mapped vertices.
    """
    if not isinstance(file, MeshPoints) or file.normals is None:
        return file
    i, j, k = np.moveaxis(transform.jacobian(file.points), -1, 0)
    cofactors = [np.cross(j, k), np.cross(k, i), np.cross(i, j)]
    along = file.normals.T[..., None]
    turned = sum(along[axis] * cofactors[axis] for axis in range(3))
    length = np.linalg.norm(turned, axis=1, keepdims=True)
    return file.with_normals(turned / np.where(length > 0, length, 1))
