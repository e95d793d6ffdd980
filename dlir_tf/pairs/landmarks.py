"""The landmarks of a pair: corresponding points of both images."""

from pathlib import Path

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images import Image, read_points
from dlir_tf.pairs.manifest import Pair


def read_landmarks(
    pair: Pair, fixed: Image, moving: Image
) -> tuple[np.ndarray, np.ndarray] | None:
    """Reads the landmarks of a pair.

    Args:
        pair: The files.
        fixed: The image that the first ones belong to.
        moving: The image that the others belong to.

    Returns:
        Points of the fixed and of the moving image, `(num_points, ndim)`, world RAS+
        mm, which correspond by their order; `None` if the pair has none.

    Raises:
        InputError: If a file can't be read, the points are of another rank than
            their image, or there aren't as many of both.
    """
    if pair.fixed_points is None or pair.moving_points is None:
        return None
    points = (
        _read_points(pair.fixed_points, fixed),
        _read_points(pair.moving_points, moving),
    )
    if len(points[0]) != len(points[1]):
        raise InputError(
            f"{pair.fixed_points} and {pair.moving_points}: landmarks correspond "
            "line by line, so both files must have as many. Received: "
            f"{len(points[0])} and {len(points[1])}"
        )
    return points


def _read_points(path: Path, image: Image) -> np.ndarray:
    points = read_points(path)
    if points.shape[-1] != image.ndim:
        raise InputError(
            f"{path}: landmarks of a {image.ndim}-d image must have {image.ndim} "
            f"coordinates. Received: {points.shape[-1]}"
        )
    return points
