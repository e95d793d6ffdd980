"""Atlases for synthetic images: label maps, all of one shape."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from scipy import ndimage

from dlir_tf.errors import InputError
from dlir_tf.images import WRITABLE_SUFFIXES, read_image
from dlir_tf.images.formats import suffix_of
from dlir_tf.images.missing import missing_voxels

# Voxels along every axis of what an atlas becomes.
SIZE = 96
# An image with more values shows grey values; it is cut into classes.
_MOST_STRUCTURES = 200
_NUM_CLASSES = 8
# For 2-d: slices along each axis, from this part of it to what is left.
_NUM_SLICES, _FIRST_SLICE = 12, 0.2


def read_atlases(folder: Path, ndim: int) -> list[np.ndarray]:
    """Reads all images of a folder as label maps.

    Images with more than 200 values show grey values and not labels: these are cut
    into 8 classes of equally many voxels, the background aside. Voxels become as long
    along all axes; the longest one gets 96 of them, and the others are filled up.

    Args:
        folder: With images, 3-d ones or of the rank asked for.
        ndim: Rank of the maps; slices along all axes of 3-d images if it's 2.

    Returns:
        Maps of 96 voxels along every axis, int32, from 0 to 255.

    Raises:
        InputError: If there is no image, or one of another rank.
    """
    if not folder.is_dir():
        raise InputError("no such folder of atlases", place=folder)
    paths = sorted(p for p in folder.iterdir() if suffix_of(p, WRITABLE_SUFFIXES))
    if not paths:
        raise InputError("there is no image in this folder of atlases", place=folder)
    maps = []
    for path in paths:
        image = read_image(path)
        if image.ndim not in (3, ndim):
            raise InputError(
                f"must be 3-d to be an atlas. Received: {image.ndim}-d", place=path
            )
        labels = _classes(_without_missing(np.asarray(image.array)))
        whole = _cube(labels, np.asarray(image.spacing))
        maps += [whole] if image.ndim == ndim else list(_slices(whole))
    return maps


def arrays_digest(arrays: Iterable[np.ndarray]) -> str:
    """SHA-256 of arrays, their shapes and their order."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _without_missing(array: np.ndarray) -> np.ndarray:
    """The array with background where it has no value (NaN): 0, or its lowest value."""
    missing = missing_voxels(array)
    if missing is None:
        return array
    return np.where(missing, min(0, np.nanmin(array)), array)


def _classes(array: np.ndarray) -> np.ndarray:
    """Numbers the values of a label map; cuts grey values into classes."""
    values = np.unique(array)
    if len(values) <= _MOST_STRUCTURES:
        numbers = np.searchsorted(values, array)
        # The background stays 0, also if there are labels below it.
        background = np.searchsorted(values, 0)
        moved = np.where(numbers < background, numbers + 1, numbers)
        return np.where(array == 0, 0, moved).astype(np.uint8)
    smooth = ndimage.gaussian_filter(array.astype(np.float32), 1.0)
    inside = array > values[0]
    edges = np.quantile(smooth[inside], np.linspace(0, 1, _NUM_CLASSES + 1)[1:-1])
    return np.where(inside, 1 + np.digitize(smooth, edges), 0).astype(np.uint8)


def _cube(labels: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Nearest neighbours on a grid of equal spacing, filled up with background."""
    extent = np.asarray(labels.shape) * spacing
    step = extent.max() / SIZE
    centres = (np.arange(SIZE) + 0.5 - SIZE / 2) * step
    places = [
        (centres + length / 2) / mm - 0.5
        for length, mm in zip(extent, spacing, strict=True)
    ]
    grid = np.meshgrid(*places, indexing="ij")
    taken = ndimage.map_coordinates(labels, grid, order=0, mode="grid-constant")
    return taken.astype(np.int32)


def _slices(whole: np.ndarray) -> Sequence[np.ndarray]:
    """Slices through the middle of a volume, along all its axes."""
    first = round(_FIRST_SLICE * SIZE)
    places = np.linspace(first, SIZE - 1 - first, _NUM_SLICES).round().astype(int)
    return [
        np.ascontiguousarray(np.take(whole, place, axis))
        for axis in range(whole.ndim)
        for place in places
        if np.count_nonzero(np.take(whole, place, axis))
    ]
