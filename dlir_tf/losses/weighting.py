"""How much each voxel of an image counts."""

from typing import Any

from keras import ops

Tensor = Any

# Far below the variance of any image scaled to [0, 1], and below one voxel's weight:
# keeps constants and empty masks finite.
EPSILON = 1e-6


def voxel_weights(image: Tensor, mask: Tensor | None) -> Tensor:
    """Returns the mask in the image's shape; ones without a mask."""
    ones = ops.ones_like(image)
    return ones if mask is None else ones * ops.cast(mask, "float32")


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean of each sample, `(batch,)`; 0 where nothing counts."""
    axes = tuple(range(1, len(values.shape)))
    total = ops.sum(weights, axis=axes) + EPSILON
    return ops.sum(weights * values, axis=axes) / total
