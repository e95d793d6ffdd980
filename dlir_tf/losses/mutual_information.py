"""Normalised mutual information: what one image tells of another one."""

import math
from typing import Any

import numpy as np
from keras import ops

from dlir_tf.compute.compilation import compiled_island
from dlir_tf.losses.weighting import EPSILON, voxel_weights
from dlir_tf.splines.lattice import spline_window

Tensor = Any

# Places within the blocks of voxels that one sample each is taken from: always the
# same ones, in no step with the rows of an image.
_PLACES = np.random.default_rng(1999).random(4093).astype("float32")

_HUGE = 1e30
_TINY = 1e-12  # a share of voxels that is none, but has a logarithm


def nmi(
    fixed: Tensor,
    moved: Tensor,
    bins: int = 32,
    samples: int = 2**17,
    mask: Tensor | None = None,
) -> Tensor:
    """Normalised mutual information of each sample, `(H(F) + H(M)) / H(F, M)`.

    It asks only that equal intensities of one image meet equal intensities of the
    other one, whichever these are: so it compares different modalities. The joint
    histogram is smooth, by cubic B-spline windows in both images: every voxel counts
    in the four bins about its intensity. So it has a gradient, and equal images stay
    below 2, the closer the fewer of their intensities share a window.

    References:

    - Studholme et al. (1999), "An overlap invariant entropy measure of 3D medical
      image alignment", Pattern Recognition 32(1).
      https://doi.org/10.1016/S0031-3203(98)00091-0
    - Thévenaz and Unser (2000), "Optimization of mutual information for
      multiresolution image registration", IEEE TIP 9(12).
      https://doi.org/10.1109/83.887976

    Args:
        fixed: `(batch, *size, channels)`.
        moved: The same shape.
        bins: Bins of the histograms, which go from the smallest to the largest
            intensity of the sample; at least 4.
        samples: Voxels that are looked at, at most: always the same ones, spread
            evenly. Memory grows with `samples` times `bins`.
        mask: Weights of the voxels, broadcastable to the images; `None` for all
            ones.

    Returns:
        `(batch,)`, from 1 (independent, or one is constant) to 2.

    Raises:
        ValueError: If `bins` or `samples` is too small.

    Example: a negative tells everything about its positive.

    >>> image = ops.reshape(ops.arange(512.0) % 8, (1, 8, 64, 1))
    >>> round(float(nmi(image, image, bins=64)[0]), 2)
    1.55
    >>> round(float(nmi(image, -image, bins=64)[0]), 2)
    1.55
    >>> round(float(nmi(image, ops.transpose(image, (0, 2, 1, 3)))[0]), 2)
    1.0
    """
    if bins < 4 or samples < 1:
        raise ValueError(
            "nmi: bins must be at least 4, the bins of a window, and samples at "
            f"least 1. Received: {bins} and {samples}"
        )
    fixed, moved = ops.cast(fixed, "float32"), ops.cast(moved, "float32")
    weights = voxel_weights(fixed, mask)
    return _nmi(fixed, moved, weights, bins=bins, samples=samples)


@compiled_island
def _nmi(
    fixed: Tensor, moved: Tensor, weights: Tensor, *, bins: int, samples: int
) -> Tensor:
    fixed, moved, weights = _sample([fixed, moved, weights], samples)
    total = ops.sum(weights, axis=1)[:, None, None] + EPSILON
    in_fixed = _windows(fixed, weights, bins) * weights[..., None]
    in_moved = _windows(moved, weights, bins)
    joint = ops.matmul(ops.transpose(in_fixed, (0, 2, 1)), in_moved) / total
    apart = _entropy(ops.sum(joint, axis=2)) + _entropy(ops.sum(joint, axis=1))
    together = _entropy(ops.reshape(joint, (-1, bins * bins)))
    # Nothing but a sample of weight 0 has a joint entropy of 0: windows overlap.
    return ops.where(together > _TINY, apart / ops.maximum(together, _TINY), 1.0)


def sampled_voxels(num_voxels: int, samples: int) -> np.ndarray:
    """The numbers of those voxels of an image that the mutual information looks at."""
    block = -(-num_voxels // samples)
    num = num_voxels // block
    within = (_PLACES[np.arange(num) % len(_PLACES)] * np.float32(block)).astype(int)
    chosen: np.ndarray = np.arange(num) * block + np.minimum(within, block - 1)
    return chosen


def _sample(images: list[Tensor], samples: int) -> list[Tensor]:
    """Takes one voxel of each block of equally many neighbours in memory.

    A sum over blocks that are 0 elsewhere is far faster backwards than an index.
    """
    shape = ops.shape(images[0])
    num_voxels = math.prod(shape[1:])
    block = (num_voxels + samples - 1) // samples
    num = num_voxels // block
    places = ops.take(ops.convert_to_tensor(_PLACES), ops.arange(num) % len(_PLACES))
    within = ops.cast(places * ops.cast(block, "float32"), "int32")
    chosen = ops.equal(ops.minimum(within, block - 1)[:, None], ops.arange(block))

    def take(image: Tensor) -> Tensor:
        voxels = ops.reshape(image, (shape[0], -1))[:, : num * block]
        blocks = ops.reshape(voxels, (shape[0], num, block))
        return ops.sum(ops.where(chosen, blocks, 0.0), axis=-1)

    return [take(image) for image in images]


def _windows(values: Tensor, weights: Tensor, bins: int) -> Tensor:
    """How much each voxel counts in each bin, `(batch, voxels, bins)`; the sum is 1."""
    inside = weights > 0
    low = ops.min(ops.where(inside, values, _HUGE), axis=1, keepdims=True)
    high = ops.max(ops.where(inside, values, -_HUGE), axis=1, keepdims=True)
    extent = ops.stop_gradient(high - low)
    scale = ops.where(extent > 0, 1.0 / ops.where(extent > 0, extent, 1.0), 0.0)
    shifted = ops.where(inside, values - ops.stop_gradient(low), 0.0)
    # A window reaches two bins to either side, and none beyond the last bin.
    places = 1.0 + scale * shifted * (bins - 3)
    return spline_window(places[..., None] - ops.arange(bins, dtype="float32"))


def _entropy(shares: Tensor) -> Tensor:
    return -ops.sum(shares * ops.log(ops.maximum(shares, _TINY)), axis=-1)
