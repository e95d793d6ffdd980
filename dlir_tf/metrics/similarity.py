"""How alike two images are: the similarities that models are trained by, in NumPy.

For the judgement of a pair wherever it is registered, with Keras or without; what
training minimises is in `dlir_tf.losses`, and the tests hold the two together.
"""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from dlir_tf.metrics.multimodal import mind_distance, nmi

# Far below the variance of any image scaled to [0, 1]: keeps constants finite.
_EPSILON = 1e-6


def similarity(
    kind: str,
    fixed: np.ndarray,
    moved: np.ndarray,
    weights: np.ndarray | None = None,
    **options: int,
) -> float:
    """How alike two images are; the higher, the more.

    Args:
        kind: `"ncc"`, normalised cross-correlation, or `"windowed_ncc"`, its mean
            over windows around every voxel, both from -1 to 1; `"mse"`, minus the
            mean squared difference; `"nmi"`, normalised mutual information, from 1 to
            2; or `"mind_ssc"`, minus the distance of self-similarity contexts.
        fixed: Any shape, intensities in [0, 1].
        moved: The same shape.
        weights: How much each voxel counts, from 0 to 1; `None` for all the same.
        options: Those of the kind, as a config has them: `window` for
            `"windowed_ncc"`, `bins` for `"nmi"`, `radius` and `dilation` for
            `"mind_ssc"`. Others don't count.

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
    if not weights.any():
        return float("nan")
    function, _, names = _KINDS[kind]
    chosen = {name: options[name] for name in names if name in options}
    return function(fixed, moved, weights, **chosen)


def most_alike(kind: str) -> float:
    """The most that a similarity can be, for images that are equal.

    Raises:
        ValueError: If the kind is unknown.
    """
    _check_kind(kind)
    return _KINDS[kind][1]


def _check_kind(kind: str) -> None:
    if kind not in _KINDS:
        raise ValueError(f"kind: must be one of {sorted(_KINDS)}. Received: {kind!r}")


def _ncc(fixed: np.ndarray, moved: np.ndarray, weights: np.ndarray) -> float:
    total = float(weights.sum(dtype=np.float64))

    def mean(values: np.ndarray) -> float:
        return float((weights * values).sum(dtype=np.float64)) / total

    fixed, moved = fixed - mean(fixed), moved - mean(moved)
    variances = (max(mean(image * image), _EPSILON) for image in (fixed, moved))
    return mean(fixed * moved) / float(np.sqrt(np.prod(list(variances))))


def _windowed_ncc(
    fixed: np.ndarray,
    moved: np.ndarray,
    weights: np.ndarray,
    window: int = 9,
) -> float:
    total = float(weights.sum(dtype=np.float64))

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


def _minus_mse(fixed: np.ndarray, moved: np.ndarray, weights: np.ndarray) -> float:
    total = float(weights.sum(dtype=np.float64))
    return -float((weights * (fixed - moved) ** 2).sum(dtype=np.float64)) / total


def _minus_mind(
    fixed: np.ndarray, moved: np.ndarray, weights: np.ndarray, **options: int
) -> float:
    return -mind_distance(fixed, moved, weights, **options)


# What computes it, the most that it can be, and the names of its options.
_KINDS: dict[str, tuple[Callable[..., float], float, tuple[str, ...]]] = {
    "ncc": (_ncc, 1.0, ()),
    "windowed_ncc": (_windowed_ncc, 1.0, ("window",)),
    "mse": (_minus_mse, 0.0, ()),
    "nmi": (nmi, 2.0, ("bins",)),
    "mind_ssc": (_minus_mind, 0.0, ("radius", "dilation")),
}
