"""How far the outlines of two structures lie apart."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import ndimage


class SurfaceDistances(NamedTuple):
    """Distances between two surfaces in mm; NaN where a structure is empty.

    Attributes:
        mean: Average of the two directed mean distances.
        hd95: Larger of the two directed 95th percentiles.
    """

    mean: float
    hd95: float


def surface_distances(
    a_mask: np.ndarray, b_mask: np.ndarray, spacing: Sequence[float]
) -> SurfaceDistances:
    """Symmetric distances between the surfaces of two structures.

    A surface is the set of the structure's voxels that have a face neighbour
    outside it; beyond the array counts as outside. Distances run from each surface
    voxel's centre to the nearest centre of the other surface.

    Args:
        a_mask: `(*spatial)`, nonzero inside the structure.
        b_mask: The same shape.
        spacing: Distance between voxels along each axis, in mm.

    Returns:
        Mean and 95th percentile, both NaN if a structure is empty.

    Raises:
        ValueError: If shapes or rank don't fit.
    """
    if a_mask.shape != b_mask.shape:
        raise ValueError(
            "surface_distances: both arrays must have the same shape. "
            f"Received: {a_mask.shape} and {b_mask.shape}"
        )
    if len(spacing) != a_mask.ndim:
        raise ValueError(
            f"surface_distances: expected {a_mask.ndim} spacings. Received: {spacing}"
        )
    a, b = a_mask.astype(bool), b_mask.astype(bool)
    if not (a.any() and b.any()):
        return SurfaceDistances(float("nan"), float("nan"))
    # Exact, as all voxels of both surfaces lie in the box; a large saving in time.
    box = ndimage.find_objects((a | b).astype(np.uint8))[0]
    a, b = _surface(a[box]), _surface(b[box])
    from_a = ndimage.distance_transform_edt(~b, sampling=spacing)[a]
    from_b = ndimage.distance_transform_edt(~a, sampling=spacing)[b]
    return SurfaceDistances(
        mean=float((from_a.mean() + from_b.mean()) / 2),
        hd95=float(max(np.percentile(from_a, 95), np.percentile(from_b, 95))),
    )


def _surface(mask: np.ndarray) -> np.ndarray:
    return np.asarray(mask & ~ndimage.binary_erosion(mask))
