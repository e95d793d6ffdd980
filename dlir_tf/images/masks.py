"""Masks: which voxels of an image count."""

import os

from dlir_tf.errors import InputError
from dlir_tf.images.frame import SpacingSource
from dlir_tf.images.image import Image
from dlir_tf.images.reading import read_labels
from dlir_tf.images.same_grid import check_same_grid


def read_mask_of(
    path: str | os.PathLike[str],
    image: Image,
    *,
    spacing_source: SpacingSource = "auto",
) -> Image:
    """Reads the mask of an image: non-zero voxels are inside.

    It must lie where its image lies, by the rule of `read_labels_of`.

    Args:
        path: The file of the mask; whole numbers, of whatever type.
        image: What it masks.
        spacing_source: As in `read_image`; best the one that `image` was read with.

    Returns:
        The mask, exactly on the image's grid; its array is bool, `True` inside.

    Raises:
        InputError: As `read_labels`, if it lies on another grid, or if no voxel is
            inside.
    """
    mask = read_labels(path, spacing_source=spacing_source)
    check_same_grid(path, mask, image, "masks")
    inside = mask.array != 0
    if not inside.any():
        raise InputError(
            f"{path}: every voxel of the mask is 0, so no voxel of its image would "
            "count; set the voxels inside to 1, or leave the mask out"
        )
    return image.with_array(inside)
