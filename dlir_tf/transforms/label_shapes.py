"""Labels with smooth borders between voxels: each by its own shape, the largest wins.

Nearest neighbour turns thick slices into steps. So does interpolating the voxels of
each label linearly: half-way between two slices, the larger one still wins at once.
What changes evenly from slice to slice is the distance from a label's border. So for
each label, its signed distance (mm, positive inside) is interpolated linearly, and a
place gets the label that is deepest there, of those at the voxels around it.

Reference:

- Raya and Udupa (1990), "Shape-based interpolation of multidimensional objects", IEEE
  TMI 9(1). https://doi.org/10.1109/42.52980
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from dlir_tf.compute.threads import in_threads

_MARGIN = 1  # voxels; farther from all its voxels no label can win


@dataclass(frozen=True, eq=False)
class _Shape:
    """One label.

    Attributes:
        value: Of its voxels.
        start: The first voxel of the box around it, per axis.
        inside: Which voxels of the box have it, float32.
        depth: Signed distance from its border, mm, float32.
    """

    value: int
    start: np.ndarray
    inside: np.ndarray
    depth: np.ndarray


def label_sampler(
    array: np.ndarray, spacing: tuple[float, ...]
) -> Callable[[np.ndarray], np.ndarray]:
    """Prepares labels for being interpolated.

    Args:
        array: Labels, whole numbers, 2-d or 3-d.
        spacing: Of their voxels, mm.

    Returns:
        From places `(ndim, *shape)`, in voxels, to labels `shape`, of the array's
        dtype. Beyond the outermost voxels, these are continued.
    """
    if array.dtype.kind == "f":
        array = np.rint(array)
    values = np.unique(array)
    shapes = in_threads(lambda value: _shape_of(array, value, spacing), values)

    def sample(places: np.ndarray) -> np.ndarray:
        last = np.reshape(array.shape, (-1, *[1] * (places.ndim - 1))) - 1
        clipped = np.clip(places, 0, last)
        flat = clipped.reshape(len(clipped), -1)
        found = np.full(flat.shape[1], values[0], array.dtype)
        deepest = np.full(flat.shape[1], -np.inf, np.float32)
        lowest, highest = flat.min(axis=1), flat.max(axis=1)
        for shape in shapes:
            end = shape.start + shape.inside.shape
            if np.all((shape.start <= highest) & (lowest < end)):
                _fill(shape, flat, found, deepest)
        return found.reshape(places.shape[1:])

    return sample


def _shape_of(array: np.ndarray, value: int, spacing: tuple[float, ...]) -> _Shape:
    (box,) = ndimage.find_objects((array == value).view(np.uint8))
    wide = tuple(
        slice(max(0, part.start - _MARGIN), min(size, part.stop + _MARGIN))
        for part, size in zip(box, array.shape, strict=True)
    )
    inside = array[wide] == value
    depth = _distance(inside, spacing) - _distance(~inside, spacing)
    start = np.array([part.start for part in wide])
    return _Shape(value, start, inside.astype(np.float32), depth)


def _distance(inside: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """How far voxels are from the nearest one that isn't inside, float32."""
    if inside.all():  # nowhere to go: as far as can be
        return np.full(inside.shape, np.dot(inside.shape, spacing), np.float32)
    distance: np.ndarray = ndimage.distance_transform_edt(inside, sampling=spacing)
    return distance.astype(np.float32)


def _fill(
    shape: _Shape, places: np.ndarray, found: np.ndarray, deepest: np.ndarray
) -> None:
    """Writes a label where it's deeper than those before it."""
    within = places - shape.start[:, None]
    last = np.array(shape.inside.shape)[:, None] - 1
    near = np.flatnonzero(np.all((within >= 0) & (within <= last), axis=0))
    if not near.size:
        return
    there = within[:, near]
    weights = ndimage.map_coordinates(shape.inside, there, order=1, mode="nearest")
    some = weights > 0
    near, there = near[some], there[:, some]
    depth = ndimage.map_coordinates(shape.depth, there, order=1, mode="nearest")
    deeper = depth > deepest[near]
    found[near[deeper]] = shape.value
    deepest[near[deeper]] = depth[deeper]
