"""Trees of vessels: what registration of lungs goes by."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from dlir_tf.images import Grid

Array = NDArray[np.floating]
Tube = tuple[Array, Array, float]

_NARROWING = 0.79  # of both branches: 2^(-1/3), so that they carry what came (Murray)
_THINNEST = 0.5  # mm
_EDGE_MM = 0.6


def random_tree(
    rng: np.random.Generator, root: Array, ends: Array, radius: float
) -> Iterator[Tube]:
    """Yields the tubes of a tree that reaches all ends.

    Args:
        rng: Decides where it bends.
        root: Where it begins, world mm.
        ends: Where it is to end, `(n, 3)`, world mm.
        radius: At its root, mm.

    Yields:
        Start and end of a tube, world mm, and its radius, mm.
    """
    if len(ends) == 1 or radius < _THINNEST:
        yield root, ends.mean(axis=0), radius
        return
    way = ends.mean(axis=0) - root
    length = float(np.linalg.norm(way))
    fork = root + rng.uniform(0.35, 0.55) * way + rng.normal(0.0, 0.06 * length, 3)
    yield root, fork, radius
    apart = ends - ends.mean(axis=0)
    *_, directions = np.linalg.svd(apart, full_matrices=False)
    across = apart @ directions[0]
    first = across <= np.median(across)
    for part in (ends[first], ends[~first]):
        if len(part):
            yield from random_tree(rng, fork, part, _NARROWING * radius)


def paint_tube(
    image: Array, grid: Grid, start: Array, end: Array, radius: float, value: float
) -> None:
    """Paints a straight tube with round ends into an image.

    Args:
        image: Of the grid's shape; it is changed.
        grid: Where its voxels lie, its axes along those of the world.
        start: World mm.
        end: World mm.
        radius: mm.
        value: What the tube is filled with.
    """
    corners = grid.to_voxels(np.stack([start, end]))
    reach = (radius + 4 * _EDGE_MM) / np.asarray(grid.spacing)
    low = np.maximum(np.floor(corners.min(axis=0) - reach), 0).astype(int)
    high = np.ceil(corners.max(axis=0) + reach).astype(int) + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    part = image[box]
    if not part.size:
        return
    voxels = np.moveaxis(np.indices(part.shape), 0, -1) + low
    apart = grid.to_world(voxels) - start
    way = end - start
    along = apart @ way / max(float(way @ way), 1e-9)
    apart = apart - np.clip(along, 0.0, 1.0)[..., None] * way
    part += expit((radius - np.linalg.norm(apart, axis=-1)) / _EDGE_MM) * (value - part)
