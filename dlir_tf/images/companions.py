"""What belongs to an image, labels or a mask, must lie where the image lies.

It must have the image's shape and, at the corners of the grid, lie within half a voxel
of it. Where one of the two headers states no orientation, the shape decides.
"""

import os

from dlir_tf.errors import InputError
from dlir_tf.images.frame import SpacingSource
from dlir_tf.images.image import Image
from dlir_tf.images.orientation import OrientationSource
from dlir_tf.images.reading import read_labels


def read_labels_of(
    path: str | os.PathLike[str],
    image: Image,
    *,
    spacing_source: SpacingSource = "auto",
    orientation_source: OrientationSource = "auto",
) -> Image:
    """Reads the labels of an image, which lie where it lies, by this module's rule.

    Args:
        path: The file of the labels.
        image: What they label.
        spacing_source: As in `read_image`; best the one that `image` was read with.
        orientation_source: Likewise.

    Returns:
        The labels, exactly on the image's grid.

    Raises:
        InputError: As `read_labels`, or if they lie on another grid.
    """
    labels = read_labels(
        path, spacing_source=spacing_source, orientation_source=orientation_source
    )
    _check_same_grid(path, labels, image, "labels")
    return image.with_array(labels.array)


def read_mask_of(
    path: str | os.PathLike[str],
    image: Image,
    *,
    spacing_source: SpacingSource = "auto",
    orientation_source: OrientationSource = "auto",
) -> Image:
    """Reads the mask of an image, which lies where it lies: non-zero is inside.

    Args:
        path: The file of the mask; whole numbers, of whatever type.
        image: What it masks.
        spacing_source: As in `read_image`; best the one that `image` was read with.
        orientation_source: Likewise.

    Returns:
        The mask, exactly on the image's grid; its array is bool, `True` inside.

    Raises:
        InputError: As `read_labels`, if it lies on another grid, or if no voxel is
            inside.
    """
    mask = read_labels(
        path, spacing_source=spacing_source, orientation_source=orientation_source
    )
    _check_same_grid(path, mask, image, "masks")
    inside = mask.array != 0
    if not inside.any():
        raise InputError(
            f"{path}: every voxel of the mask is 0, so no voxel of its image would "
            "count; set the voxels inside to 1, or leave the mask out"
        )
    return image.with_array(inside)


def _check_same_grid(
    path: str | os.PathLike[str], companion: Image, image: Image, kind: str
) -> None:
    """Refuses what lies on another grid than its image; `kind` in the plural."""
    cure = "resample them, nearest neighbour, onto its grid"
    if companion.shape != image.shape:
        raise InputError(
            f"{path}: {kind} must have their image's shape {image.shape}; {cure}. "
            f"Received: {companion.shape}"
        )
    placed = _states_orientation(companion) and _states_orientation(image)
    if placed and not companion.grid.same_as(image.grid):
        distance = companion.grid.distance_to(image.grid)
        raise InputError(
            f"{path}: {kind} lie elsewhere than their image, up to {distance:.3g} mm "
            f"away: {cure}"
        )


def _states_orientation(image: Image) -> bool:
    header = image.header
    return header is None or bool(header["qform_code"] or header["sform_code"])
