"""Whether what belongs to an image, labels or a mask, lies where the image lies."""

import itertools
import os

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images.image import Image


def check_same_grid(
    path: str | os.PathLike[str], companion: Image, image: Image, kind: str
) -> None:
    """Refuses what lies on another grid than its image.

    It must have the image's shape and, at the corners of the grid, lie within half a
    voxel of it. Where one of the two headers states no orientation, the shape decides.

    Args:
        path: The file of the companion, for the message.
        companion: The labels or the mask.
        image: What it belongs to.
        kind: What it is, in the plural, for the message.

    Raises:
        InputError: If the grids differ.
    """
    cure = "resample them, nearest neighbour, onto its grid"
    if companion.shape != image.shape:
        raise InputError(
            f"{path}: {kind} must have their image's shape {image.shape}; {cure}. "
            f"Received: {companion.shape}"
        )
    distance = largest_distance(companion, image)
    placed = _states_orientation(companion) and _states_orientation(image)
    if placed and distance > 0.5 * min(image.spacing):
        raise InputError(
            f"{path}: {kind} lie elsewhere than their image, up to {distance:.3g} mm "
            f"away: {cure}"
        )


def largest_distance(first: Image, second: Image) -> float:
    """How far apart in the world, in mm, the same corners of two grids lie at most."""
    corners = np.array(list(itertools.product(*((0, n - 1) for n in first.shape))))
    difference = first.affine - second.affine
    apart = corners @ difference[:-1, :-1].T + difference[:-1, -1]
    return float(np.linalg.norm(apart, axis=1).max())


def _states_orientation(image: Image) -> bool:
    header = image.header
    return header is None or bool(header["qform_code"] or header["sform_code"])
