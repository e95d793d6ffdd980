"""Labels belong to an image: they must lie where it lies."""

import itertools
import os

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images.frame import SpacingSource
from dlir_tf.images.image import Image
from dlir_tf.images.reading import read_labels


def read_labels_of(
    path: str | os.PathLike[str],
    image: Image,
    *,
    spacing_source: SpacingSource = "auto",
) -> Image:
    """Reads the labels of an image.

    They must have its shape and, at the corners of the grid, lie within half a voxel
    of it. Where one of the two headers states no orientation, the shape decides.

    Args:
        path: The file of the labels.
        image: What they label.
        spacing_source: As in `read_image`; best the one that `image` was read with.

    Returns:
        The labels, exactly on the image's grid.

    Raises:
        InputError: As `read_labels`, or if they lie on another grid.
    """
    labels = read_labels(path, spacing_source=spacing_source)
    if labels.shape != image.shape:
        raise InputError(
            f"{path}: labels must have their image's shape {image.shape}; resample "
            f"them, nearest neighbour, onto its grid. Received: {labels.shape}"
        )
    distance = _largest_distance(labels, image)
    placed = _states_orientation(labels) and _states_orientation(image)
    if placed and distance > 0.5 * min(image.spacing):
        raise InputError(
            f"{path}: labels lie elsewhere than their image, up to {distance:.3g} mm "
            "away: resample them, nearest neighbour, onto its grid"
        )
    return image.with_array(labels.array)


def _largest_distance(first: Image, second: Image) -> float:
    """How far apart in the world, in mm, the same corners of two grids lie at most."""
    corners = np.array(list(itertools.product(*((0, n - 1) for n in first.shape))))
    difference = first.affine - second.affine
    apart = corners @ difference[:-1, :-1].T + difference[:-1, -1]
    return float(np.linalg.norm(apart, axis=1).max())


def _states_orientation(image: Image) -> bool:
    header = image.header
    return header is None or bool(header["qform_code"] or header["sform_code"])
