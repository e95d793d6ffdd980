"""Similarities of images whose intensities mean different things, in NumPy."""

import itertools

import numpy as np
from scipy import ndimage

from dlir_tf.splines.lattice import spline_weights

_TINY = 1e-12  # a share of voxels that is none, but has a logarithm
# The local variance is kept within these multiples of its mean over the image.
_LEAST, _MOST = 1e-3, 1e3


def nmi(
    fixed: np.ndarray, moved: np.ndarray, weights: np.ndarray, bins: int = 32
) -> float:
    """Normalised mutual information, `(H(F) + H(M)) / H(F, M)`, from 1 to 2.

    From a joint histogram that cubic B-spline windows smooth, of all voxels.

    References:

    - Studholme et al. (1999), "An overlap invariant entropy measure of 3D medical
      image alignment", Pattern Recognition 32(1).
      https://doi.org/10.1016/S0031-3203(98)00091-0
    - Thévenaz and Unser (2000), "Optimization of mutual information for
      multiresolution image registration", IEEE TIP 9(12).
      https://doi.org/10.1109/83.887976

    Args:
        fixed: Any shape.
        moved: The same shape.
        weights: How much each voxel counts, from 0 to 1; not all 0.
        bins: Of the histograms, from the smallest to the largest intensity.

    Example: a negative tells everything about its positive.

    >>> image = np.arange(512.0) % 8
    >>> round(nmi(image, -image, np.ones(512), bins=64), 2)
    1.55
    """
    inside = weights > 0
    counting = weights[inside].astype(np.float64)
    places = [_windows(image[inside], bins) for image in (fixed, moved)]
    joint = np.zeros(bins * bins)
    for (rows, in_fixed), (columns, in_moved) in itertools.product(*places):
        cells = rows * bins + columns
        joint += np.bincount(cells, counting * in_fixed * in_moved, bins * bins)
    joint /= counting.sum()
    table = joint.reshape(bins, bins)
    apart = _entropy(table.sum(axis=0)) + _entropy(table.sum(axis=1))
    together = _entropy(joint)
    return apart / together if together > _TINY else 1.0


def mind_distance(
    fixed: np.ndarray,
    moved: np.ndarray,
    weights: np.ndarray,
    radius: int = 1,
    dilation: int = 2,
) -> float:
    """Mean squared difference of self-similarity contexts, from 0 to 1.

    Reference:

    - Heinrich et al. (2013), "Towards realtime multimodal fusion for image-guided
      interventions using self-similarities", MICCAI.
      https://doi.org/10.1007/978-3-642-40811-3_24

    Args:
        fixed: 2-d or 3-d.
        moved: The same shape.
        weights: How much each voxel counts; one counts only if nothing of weight 0
            is so near that it shows in its descriptor.
        radius: Of the patches, in voxels.
        dilation: Voxels from the middle to the patches' centres.

    Returns:
        NaN if nothing counts.
    """
    reach = 2 * (radius + dilation) + 1
    whole = ndimage.minimum_filter(weights > 0, reach, mode="nearest")
    weights = np.where(whole, weights, 0)
    total = float(weights.sum(dtype=np.float64))
    if total <= 0:
        return float("nan")
    first, second = (
        _descriptors(image, weights / total, radius, dilation)
        for image in (fixed, moved)
    )
    difference = np.mean((first - second) ** 2, axis=0)
    return float((weights * difference).sum(dtype=np.float64) / total)


def _windows(values: np.ndarray, bins: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """The four bins in which each voxel counts, and how much; the sum is 1."""
    low, extent = values.min(), np.ptp(values)
    scale = 1 / extent if extent > 0 else 0.0
    # A window reaches two bins to either side, and none beyond the last bin.
    places = 1 + scale * (values - low).astype(np.float64) * (bins - 3)
    cells = np.minimum(np.floor(places).astype(np.intp), bins - 3)
    shares = zip(range(-1, 3), spline_weights(places - cells), strict=True)
    return [(cells + step, share) for step, share in shares]


def _entropy(shares: np.ndarray) -> float:
    return -float(np.sum(shares * np.log(np.maximum(shares, _TINY))))


def _descriptors(
    image: np.ndarray, shares: np.ndarray, radius: int, dilation: int
) -> np.ndarray:
    """`(pairs, *size)`, from 0 to 1; 1 for the most similar pair of patches."""
    around = np.pad(image.astype(np.float32), radius + dilation, mode="edge")

    def shifted(axis: int, step: int) -> np.ndarray:
        starts = [dilation + step * (a == axis) for a in range(image.ndim)]
        # Wider than the image by the radius of the patches.
        sizes = [n + 2 * radius for n in image.shape]
        return around[
            tuple(slice(s, s + n) for s, n in zip(starts, sizes, strict=True))
        ]

    sides = [
        [shifted(axis, step) for step in (-dilation, dilation)]
        for axis in range(image.ndim)
    ]
    inner = tuple(slice(radius, radius + n) for n in image.shape)
    distances = np.stack(
        [
            ndimage.uniform_filter((one - other) ** 2, 2 * radius + 1)[inner]
            for a, b in itertools.combinations(range(image.ndim), 2)
            for one, other in itertools.product(sides[a], sides[b])
        ]
    )
    distances -= distances.min(axis=0)
    variance = distances.mean(axis=0)
    typical = float((shares * variance).sum(dtype=np.float64)) + 1e-8
    return np.exp(-distances / np.clip(variance, _LEAST * typical, _MOST * typical))
