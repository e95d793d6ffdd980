"""Carries landmarks through a transform."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dlir_tf.apply.trust import report_inverse
from dlir_tf.errors import InputError
from dlir_tf.images.points import PointFile
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
        warnings.warn(
            f"{path}: {outside} of {len(file.points)} points lie outside the region "
            "that the transform was made for; they were mapped without its "
            "deformation, which is zero there",
            stacklevel=2,
        )
    line = report_inverse(transform, file.points, str(path))
    if line is not None:
        tell(line)
    if file.num_unset:
        tell(f"{path}: points without a position, left alone: {file.num_unset}")
    return transform.map_points(file.points)
