"""How alike two images are at every shift, by Fourier transforms.

What counts is how much of what they overlap in is explained, `-n log(1 - r)` of `n`
voxels: `r` is the squared correlation, or the correlation ratio. Too small an overlap
may be alike by chance and doesn't count.
"""

import numpy as np
from scipy import fft

from dlir_tf.compute.threads import num_cores

_LEAST_OVERLAP = 0.25
# Of the variance of the whole image: below, an overlap shows nothing.
_LEAST_VARIANCE = 1e-2
_NUM_BINS = 10  # of the fixed image's intensities
_MOST_ALIKE = 1 - 1e-4  # what is explained at most; beyond, only the overlap counts


def line_scores(
    pictures: tuple[np.ndarray, ...], weights: tuple[np.ndarray, ...]
) -> np.ndarray:
    """How likely each cyclic shift is, one image being a line through the other.

    Args:
        pictures: Intensities in [0, 1] of two grids of the same steps.
        weights: Which of their voxels count, 0 or 1.

    Returns:
        For each shift from fixed to moving voxels; the second half of each axis are
        negative ones. 0 where too little overlaps.
    """
    centred = [_centred(*each) for each in zip(pictures, weights, strict=True)]
    fixed, moving = (
        [weight, values, values**2]
        for weight, values in zip(weights, centred, strict=True)
    )
    pairs = [(0, 0), (1, 0), (0, 1), (2, 0), (0, 2), (1, 1)]
    correlated = _correlations(fixed, moving, pairs)
    count = np.maximum(correlated[0], 1e-9)
    sums, squares, product = correlated[1:3], correlated[3:5], correlated[5]
    variances = [
        square - total**2 / count for square, total in zip(squares, sums, strict=True)
    ]
    enough = _is_enough(count, weights)
    for variance, values, weight in zip(variances, centred, weights, strict=True):
        enough &= _varies(variance, count, values, weight)
    scale = np.sqrt(np.where(enough, variances[0] * variances[1], 1.0))
    ncc = np.where(enough, (product - sums[0] * sums[1] / count) / scale, 0.0)
    return _likelihood(count, np.maximum(ncc, 0.0) ** 2)


def ratio_scores(
    pictures: tuple[np.ndarray, ...], weights: tuple[np.ndarray, ...]
) -> np.ndarray:
    """The same for images of different modalities, by the correlation ratio.

    What counts is how little the moving image varies where the fixed one is of about
    the same intensity.
    """
    values, weight = _centred(pictures[1], weights[1]), weights[1]
    # Narrower where it's dark: tissue next to nothing may be bright in the other image.
    places = np.sqrt(np.clip(pictures[0], 0, 1)) * _NUM_BINS
    bins = np.minimum(places, _NUM_BINS - 1).astype(int)
    fixed = [weights[0] * (bins == number) for number in range(_NUM_BINS)]
    fixed = [share for share in fixed if share.any()] or [weights[0]]
    shares = range(len(fixed))
    moving = [weight, values, values**2]
    pairs = [(share, which) for which in (0, 1) for share in shares]
    pairs.append((len(fixed), 2))
    correlated = _correlations([*fixed, weights[0]], moving, pairs)
    counts = np.maximum(correlated[: len(fixed)], 1e-9)
    sums, squares = correlated[len(fixed) : -1], correlated[-1]
    count = counts.sum(axis=0)
    variance = squares - sums.sum(axis=0) ** 2 / count
    within = squares - (sums**2 / np.maximum(counts, 0.5)).sum(axis=0)
    enough = _is_enough(count, weights) & _varies(variance, count, values, weight)
    ratio = 1 - within / np.where(enough, variance, 1.0)
    return _likelihood(count, np.where(enough, np.maximum(ratio, 0.0), 0.0))


def _centred(picture: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Differences from the mean of what counts, and 0 elsewhere."""
    if not weight.any():
        return weight
    return np.asarray((picture - np.average(picture, weights=weight)) * weight)


def _correlations(
    fixed: list[np.ndarray], moving: list[np.ndarray], pairs: list[tuple[int, int]]
) -> np.ndarray:
    """Cyclic correlations, one for each pair of a fixed and a moving array."""
    size = tuple(
        fft.next_fast_len(sum(along) - 1, real=True)
        for along in zip(fixed[0].shape, moving[0].shape, strict=True)
    )
    axes = tuple(range(1, fixed[0].ndim + 1))
    with fft.set_workers(num_cores()):
        first, second = (fft.rfftn(arrays, size, axes) for arrays in (fixed, moving))
        products = np.stack([np.conj(first[a]) * second[b] for a, b in pairs])
        return np.asarray(fft.irfftn(products, size, axes, overwrite_x=True))


def _is_enough(count: np.ndarray, weights: tuple[np.ndarray, ...]) -> np.ndarray:
    """Where enough of the smaller image overlaps."""
    least = min(weight.sum() for weight in weights)
    return np.asarray(count >= _LEAST_OVERLAP * least + 0.5)


def _varies(
    variance: np.ndarray, count: np.ndarray, values: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """Where what overlaps of an image shows something."""
    whole = (values**2).sum() / max(weight.sum(), 1)
    return np.asarray(variance > _LEAST_VARIANCE * whole * count)


def _likelihood(count: np.ndarray, explained: np.ndarray) -> np.ndarray:
    return np.asarray(-count * np.log1p(-np.minimum(explained, _MOST_ALIKE)))
