"""What belongs to an image, labels or a mask, must lie where the image lies.

It must have the image's shape and, at the corners of the grid, lie within half a voxel
of it. Where one of the two headers states no orientation, the shape decides.

A mask may lie on a grid of its own, if it's plain where that is: both headers state an
orientation, and it has another shape than its image, or fills the same box along other
axes. Then it's resampled by nearest neighbour, with a warning. A mask of the same shape
that lies elsewhere has lost its header, most likely.
"""

import os
import warnings
from dataclasses import replace

import numpy as np
from scipy import ndimage

from dlir_tf.errors import InputError
from dlir_tf.images.frame import SpacingSource
from dlir_tf.images.image import Image
from dlir_tf.images.orientation import OrientationSource
from dlir_tf.images.reading import read_labels, read_mask


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
    return replace(
        image.with_array(labels.array),
        segments=labels.segments,
        meaning=labels.meaning,
    )


def read_mask_of(
    path: str | os.PathLike[str],
    image: Image,
    *,
    spacing_source: SpacingSource = "auto",
    orientation_source: OrientationSource = "auto",
) -> Image:
    """Reads the mask of an image, by this module's rule: non-zero is inside.

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
    mask = read_mask(
        path, spacing_source=spacing_source, orientation_source=orientation_source
    )
    if not mask.array.any():
        raise InputError(
            f"{path}: every voxel of the mask is 0, so no voxel of its image would "
            "count; set the voxels inside to 1, or leave the mask out"
        )
    return mask_on_image(mask, image, os.fspath(path))


def mask_on_image(mask: Image, image: Image, name: str) -> Image:
    """Lays a mask onto the grid of its image, by this module's rule.

    Args:
        mask: Non-zero is inside.
        image: What it masks.
        name: Of the mask, for messages.

    Returns:
        The mask, exactly on the image's grid; its array is bool.

    Raises:
        InputError: If it lies elsewhere, or has no voxel inside where the image is.
    """
    inside = mask.array != 0
    placed = _states_orientation(mask) and _states_orientation(image)
    same_box = mask.shape != image.shape or _fill_the_same_box(mask, image)
    if mask.ndim != image.ndim or not placed or not same_box:
        _check_same_grid(name, mask, image, "masks")
    elif not mask.grid.same_as(image.grid):
        inside = _nearest(inside, mask, image)
        if not inside.any():
            raise InputError(
                f"{name}: masks must lie where their image lies, but no voxel inside "
                "this one does; check that it belongs to the image"
            )
        warnings.warn(
            f"{name}: the mask lies on another grid than its image, of shape "
            f"{mask.shape} instead of {image.shape}, so it was resampled onto it by "
            "nearest neighbour",
            stacklevel=3,
        )
    return image.with_array(inside)


def _fill_the_same_box(mask: Image, image: Image) -> bool:
    """Whether two grids have their corners at the same places, in whatever order."""
    apart = mask.grid.corners[:, None] - image.grid.corners[None]
    nearest = np.linalg.norm(apart, axis=-1).min(axis=1)
    return bool(nearest.max() <= 0.5 * min(image.spacing))


def _nearest(inside: np.ndarray, mask: Image, image: Image) -> np.ndarray:
    """A mask at the voxels of its image; a voxel reaches half its size around it."""
    to_mask = mask.grid.inverse @ image.grid.affine
    moved: np.ndarray = ndimage.affine_transform(
        inside.astype(np.uint8),
        to_mask[:-1, :-1],
        to_mask[:-1, -1],
        output_shape=image.shape,
        order=0,
        mode="grid-constant",
    )
    return moved != 0


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
