"""How much of one image the other one tells, whatever their contrasts are."""

import numpy as np

_BINS = 24
_BACKGROUND = 0.1
# Of voxels that both show: fewer tell nothing.
_FEWEST = 100


def told_share(fixed: np.ndarray, moved: np.ndarray, weights: np.ndarray) -> float:
    """How much of either image the other one tells, of what isn't background in both.

    Mutual information as a share of the smaller entropy of the two, less what there
    would be by chance (Miller 1955, "Note on the bias of information estimates").
    Outlines don't count, which those of any two bodies have in common.

    Args:
        fixed: Any shape, intensities in [0, 1].
        moved: The same shape.
        weights: Voxels where it's more than 0 count.

    Returns:
        About 0 for two images that have nothing to do with each other, 1 for equal
        ones; NaN where too few voxels count.

    Example:

    >>> image = np.linspace(0.2, 1.0, 10_000)
    >>> round(told_share(image, 1.25 - image, np.ones(10_000)), 1)
    1.0
    """
    shown = (weights > 0) & (fixed > _BACKGROUND) & (moved > _BACKGROUND)
    number = int(np.count_nonzero(shown))
    if number < _FEWEST:
        return float("nan")
    rows, columns = (
        np.minimum((image[shown] * _BINS).astype(np.intp), _BINS - 1)
        for image in (fixed, moved)
    )
    counts = np.bincount(rows * _BINS + columns, minlength=_BINS**2)
    joint = counts.reshape(_BINS, _BINS) / number
    apart = joint.sum(axis=1), joint.sum(axis=0)
    entropies = [_entropy(shares) for shares in apart]
    if min(entropies) <= 0:
        return float("nan")
    used = [np.count_nonzero(shares) - 1 for shares in apart]
    chance = used[0] * used[1] / (2 * number)
    return float((sum(entropies) - _entropy(joint) - chance) / min(entropies))


def _entropy(shares: np.ndarray) -> float:
    there = shares[shares > 0]
    return -float(np.sum(there * np.log(there)))
