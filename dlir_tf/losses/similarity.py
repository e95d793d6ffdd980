"""Similarities of images of one modality, one value per sample."""

from typing import Any

from keras import ops

from dlir_tf.compute.compilation import compiled_island
from dlir_tf.losses.weighting import EPSILON, voxel_weights, weighted_mean
from dlir_tf.losses.windows import window_means

Tensor = Any


def ncc(fixed: Tensor, moved: Tensor, mask: Tensor | None = None) -> Tensor:
    """Normalised cross-correlation of each sample, over all its voxels.

    It is computed per sample and never over the whole minibatch, where the mean
    of one image would stand for that of another.

    Args:
        fixed: `(batch, *size, channels)`.
        moved: The same shape.
        mask: Weights of the voxels, broadcastable to the images; `None` for all
            ones.

    Returns:
        `(batch,)`, from -1 to 1; 1 for images that are equal up to brightness and
        contrast, 0 if one of them is constant.

    Example:

    >>> from keras import ops
    >>> image = ops.reshape(ops.arange(8.0), (1, 2, 4, 1))
    >>> round(float(ncc(image, 1.0 - 2.0 * image)[0]), 4)
    -1.0
    """
    axes = tuple(range(1, len(fixed.shape)))
    fixed, moved = ops.cast(fixed, "float32"), ops.cast(moved, "float32")
    weights = voxel_weights(fixed, mask)
    total = ops.sum(weights, axis=axes, keepdims=True) + EPSILON

    def mean(values: Tensor) -> Tensor:
        return ops.sum(weights * values, axis=axes, keepdims=True) / total

    fixed = fixed - mean(fixed)
    moved = moved - mean(moved)
    covariance = mean(fixed * moved)
    scale = _root(mean(ops.square(fixed))) * _root(mean(ops.square(moved)))
    return ops.reshape(covariance / scale, (-1,))


def windowed_ncc(
    fixed: Tensor, moved: Tensor, window: int = 9, mask: Tensor | None = None
) -> Tensor:
    """Mean of the correlation coefficients in a window around every voxel.

    It forgives slow changes of brightness, such as the bias field of MR images.
    Windows are cut off at the border of the image.

    Reference:

    - Avants et al. (2008), "Symmetric diffeomorphic image registration with
      cross-correlation: evaluating automated labeling of elderly and
      neurodegenerative brain", Medical Image Analysis 12(1).
      https://doi.org/10.1016/j.media.2007.06.004

    Args:
        fixed: `(batch, *size, channels)`.
        moved: The same shape.
        window: Edge length of the window, in voxels.
        mask: Weights of the voxels, broadcastable to the images; voxels of weight
            0 count in no window.

    Returns:
        `(batch,)`, from -1 to 1.

    Example: other brightness and contrast on either half of the image.

    >>> from keras import ops
    >>> wave = ops.reshape(ops.sin(ops.arange(64.0)), (1, 64, 1, 1))
    >>> half = ops.reshape(ops.cast(ops.arange(64) < 32, "float32"), (1, 64, 1, 1))
    >>> moved = wave * (1.0 + 4.0 * half) + 9.0 * half
    >>> round(float(ncc(wave, moved)[0]), 1)
    0.4
    >>> round(float(windowed_ncc(wave, moved)[0]), 1)
    0.9
    """
    fixed, moved = ops.cast(fixed, "float32"), ops.cast(moved, "float32")
    return _windowed_ncc(fixed, moved, voxel_weights(fixed, mask), window=window)


@compiled_island
def _windowed_ncc(
    fixed: Tensor, moved: Tensor, weights: Tensor, *, window: int
) -> Tensor:
    axes, ndim = tuple(range(1, len(fixed.shape))), len(fixed.shape) - 2
    before = window // 2
    pads = [(0, 0), *[(before, window - 1 - before)] * ndim, (0, 0)]

    def mean(values: Tensor) -> Tensor:
        return window_means(ops.pad(values, pads), window, range(1, ndim + 1))

    total = mean(weights)
    safe_total = ops.maximum(total, EPSILON)

    def local_mean(values: Tensor) -> Tensor:
        return mean(weights * values) / safe_total

    # Centred first: a variance is a small difference of two large means.
    fixed = fixed - _global_mean(fixed, weights, axes)
    moved = moved - _global_mean(moved, weights, axes)
    fixed_mean, moved_mean = local_mean(fixed), local_mean(moved)
    covariance = local_mean(fixed * moved) - fixed_mean * moved_mean
    fixed_variance = local_mean(ops.square(fixed)) - ops.square(fixed_mean)
    moved_variance = local_mean(ops.square(moved)) - ops.square(moved_mean)
    coefficient = covariance / (_root(fixed_variance) * _root(moved_variance))
    return weighted_mean(coefficient, weights)


def mse(fixed: Tensor, moved: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean squared difference of each sample; arguments as for `ncc`.

    Returns:
        `(batch,)`, 0 for equal images.

    Example:

    >>> from keras import ops
    >>> image = ops.zeros((1, 4, 6, 1))
    >>> round(float(mse(image, image + 0.5)[0]), 4)
    0.25
    """
    fixed, moved = ops.cast(fixed, "float32"), ops.cast(moved, "float32")
    return weighted_mean(ops.square(fixed - moved), voxel_weights(fixed, mask))


def _root(variance: Tensor) -> Tensor:
    return ops.sqrt(ops.maximum(variance, EPSILON))


def _global_mean(values: Tensor, weights: Tensor, axes: tuple[int, ...]) -> Tensor:
    total = ops.sum(weights, axis=axes, keepdims=True) + EPSILON
    return ops.sum(weights * values, axis=axes, keepdims=True) / total
