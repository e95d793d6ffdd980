"""How alike two images are: the similarities that models are trained by, in NumPy.

For the judgement of a pair wherever it is registered, with Keras or without; what
training minimises is in `dlir_tf.losses`, and the tests hold the two together.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

# Far below the variance of any image scaled to [0, 1]: keeps constants finite.
_EPSILON = 1e-6


def similarity(
    kind: str,
    fixed: np.ndarray,
    moved: np.ndarray,
    weights: np.ndarray | None = None,
    *,
    window: int = 9,
) -> float:
    """How alike two images are; the higher, the more.

    Args:
        kind: `"ncc"`, normalised cross-correlation, or `"windowed_ncc"`, its mean
            over windows around every voxel, both from -1 to 1; or `"mse"`, minus the
            mean squared difference.
        fixed: Any shape, intensities in [0, 1].
        moved: The same shape.
        weights: How much each voxel counts, from 0 to 1; `None` for all the same.
        window: Edge length of the windows, in voxels.

    Returns:
        At most `most_alike(kind)`; NaN if nothing counts.

    Raises:
        ValueError: If the kind is unknown.

    Example:

    >>> image = np.arange(8.0).reshape(2, 4) / 8
    >>> round(similarity("ncc", image, 1 - image), 4)
    -1.0
    >>> similarity("mse", image, image + 0.5)
    -0.25
    """
    _check_kind(kind)
    if weights is None:
        weights = np.ones(fixed.shape, np.float32)
    total = float(weights.sum(dtype=np.float64))
    if total <= 0:
        return float("nan")
    return _KINDS[kind](fixed, moved, weights, total, window)


def most_alike(kind: str) -> float:
    """What the similarity of an image with itself is.

    Raises:
        ValueError: If the kind is unknown.
    """
    _check_kind(kind)
    return 0.0 if kind == "mse" else 1.0


def _check_kind(kind: str) -> None:
    if kind not in _KINDS:
        raise ValueError(f"kind: must be one of {sorted(_KINDS)}. Received: {kind!r}")


def _ncc(
    fixed: np.ndarray, moved: np.ndarray, weights: np.ndarray, total: float, _: int
) -> float:
    def mean(values: np.ndarray) -> float:
        return float((weights * values).sum(dtype=np.float64)) / total

    fixed, moved = fixed - mean(fixed), moved - mean(moved)
    variances = (max(mean(image * image), _EPSILON) for image in (fixed, moved))
    return mean(fixed * moved) / float(np.sqrt(np.prod(list(variances))))


def _windowed_ncc(
    fixed: np.ndarray,
    moved: np.ndarray,
    weights: np.ndarray,
    total: float,
    window: int,
) -> float:
    def mean(values: np.ndarray) -> np.ndarray:
        # Running sums in single precision would drift.
        means = ndimage.uniform_filter(
            values, window, output=np.float64, mode="constant"
        )
        return np.asarray(means)

    # A sum that runs out of the mask doesn't come back to zero exactly.
    counting = np.maximum(mean(weights), _EPSILON)

    def local_mean(values: np.ndarray) -> np.ndarray:
        return np.asarray(mean(weights * values) / counting)

    # Centred first: a variance is a small difference of two large means.
    fixed, moved = (
        image - float((weights * image).sum(dtype=np.float64)) / total
        for image in (fixed, moved)
    )
    fixed_mean, moved_mean = local_mean(fixed), local_mean(moved)
    fixed_variance = local_mean(fixed * fixed) - fixed_mean**2
    moved_variance = local_mean(moved * moved) - moved_mean**2
    covariance = local_mean(fixed * moved) - fixed_mean * moved_mean
    scale = np.maximum(fixed_variance, _EPSILON) * np.maximum(moved_variance, _EPSILON)
    return float((weights * covariance / np.sqrt(scale)).sum()) / total


def _minus_mse(
    fixed: np.ndarray, moved: np.ndarray, weights: np.ndarray, total: float, _: int
) -> float:
    return -float((weights * (fixed - moved) ** 2).sum(dtype=np.float64)) / total


_Kind = Callable[[np.ndarray, np.ndarray, np.ndarray, float, int], float]
_KINDS: dict[str, _Kind] = {
    "ncc": _ncc,
    "windowed_ncc": _windowed_ncc,
    "mse": _minus_mse,
}
