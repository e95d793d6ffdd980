"""MIND-SSC: images compared by how their neighbourhoods resemble themselves."""

import itertools
from typing import Any

from keras import ops

from dlir_tf.compute.compilation import compiled_island
from dlir_tf.layers.pooling import pad_edges
from dlir_tf.losses.weighting import voxel_weights, weighted_mean
from dlir_tf.losses.windows import window_means

Tensor = Any

# The local variance is kept within these multiples of its mean over the image.
_LEAST, _MOST = 1e-3, 1e3
_TINY = 1e-8


def mind_ssc(
    fixed: Tensor,
    moved: Tensor,
    radius: int = 1,
    dilation: int = 2,
    mask: Tensor | None = None,
) -> Tensor:
    """Mean squared difference of the self-similarity contexts of each sample.

    A descriptor tells which patches around a voxel resemble each other: all pairs
    of its direct neighbours along different axes, 12 in 3-d and 4 in 2-d. That is
    much the same in all modalities, whatever their intensities are. Beyond its
    border an image goes on as it is there.

    Reference:

    - Heinrich et al. (2013), "Towards realtime multimodal fusion for image-guided
      interventions using self-similarities", MICCAI.
      https://doi.org/10.1007/978-3-642-40811-3_24

    Args:
        fixed: `(batch, *size, channels)`.
        moved: The same shape.
        radius: Of the patches, in voxels: they are `2 * radius + 1` wide.
        dilation: Voxels from the middle to the patches' centres.
        mask: Weights of the voxels, broadcastable to the images; `None` for all
            ones. A voxel counts only if nothing of weight 0 is so near that it
            shows in the descriptor: within `radius + dilation` along every axis.

    Returns:
        `(batch,)`, from 0 for equal images to 1.

    Raises:
        ValueError: If `radius` is negative or `dilation` isn't positive.

    Example: brightness and contrast don't matter, and neither do their signs.

    >>> from keras import ops
    >>> image = ops.sin(ops.reshape(ops.arange(400.0), (1, 20, 20, 1)) ** 1.3)
    >>> round(float(mind_ssc(image, 0.7 - 2.0 * image)[0]), 4)
    0.0
    >>> float(mind_ssc(image, ops.roll(image, 3, axis=1))[0]) > 0.05
    True
    """
    if radius < 0 or dilation < 1:
        raise ValueError(
            "mind_ssc: radius must be at least 0 and dilation at least 1. "
            f"Received: {radius} and {dilation}"
        )
    fixed, moved = ops.cast(fixed, "float32"), ops.cast(moved, "float32")
    weights = voxel_weights(fixed, mask)
    options = {"radius": radius, "dilation": dilation}
    if mask is None:
        return _compare(fixed, moved, weights, **options)
    return _compare(fixed, moved, _shrink(weights, reach=radius + dilation), **options)


def descriptors(
    image: Tensor, weights: Tensor, radius: int, dilation: int
) -> tuple[Tensor, Tensor]:
    """The self-similarity contexts of an image, which `mind_ssc` compares.

    Args:
        image: `(batch, *size, 1)`.
        weights: How much each voxel counts, the same shape.
        radius: As for `mind_ssc`.
        dilation: As for `mind_ssc`.

    Returns:
        `(batch, *size, num_pairs)`, from 0 to 1; and the weights, 0 where something of
        weight 0 shows in a descriptor.
    """
    found = _described(image, weights, radius=radius, dilation=dilation)
    return found, _shrink(weights, reach=radius + dilation)


@compiled_island
def _described(image: Tensor, weights: Tensor, *, radius: int, dilation: int) -> Tensor:
    parts = _descriptors(image, weights, radius, dilation)
    return ops.moveaxis(parts[..., 0], 0, -1)


@compiled_island
def _compare(
    fixed: Tensor, moved: Tensor, weights: Tensor, *, radius: int, dilation: int
) -> Tensor:
    first = _descriptors(fixed, weights, radius, dilation)
    second = _descriptors(moved, weights, radius, dilation)
    return weighted_mean(ops.mean(ops.square(first - second), axis=0), weights)


@compiled_island
def _shrink(weights: Tensor, *, reach: int) -> Tensor:
    """Sets weights to 0 where any other one within reach along every axis is 0."""
    ndim, window = len(weights.shape) - 2, 2 * reach + 1
    inside = pad_edges(ops.cast(weights > 0, "float32"), reach)
    share = window_means(inside, window, range(1, ndim + 1))
    return ops.where(share > 1.0 - 0.5 / window**ndim, weights, 0.0)


def _descriptors(image: Tensor, weights: Tensor, radius: int, dilation: int) -> Tensor:
    """`(pairs, batch, *size, channels)`, from 0 to 1; 1 for the most similar pair."""
    ndim = len(image.shape) - 2
    distances = _patch_distances(image, radius, dilation, ndim)
    distances = distances - ops.min(distances, axis=0)
    variance = ops.mean(distances, axis=0)
    typical = weighted_mean(variance, weights)
    typical = ops.reshape(typical, (-1, *[1] * (ndim + 1))) + _TINY
    variance = ops.minimum(ops.maximum(variance, _LEAST * typical), _MOST * typical)
    return ops.exp(-distances / variance)


def _patch_distances(image: Tensor, radius: int, dilation: int, ndim: int) -> Tensor:
    """Mean squared differences of neighbouring patches.

    The pairs are the first axis: as the last one, they would take thrice the time.
    """
    padded = pad_edges(image, radius + dilation)
    size = [n - 2 * dilation for n in ops.shape(padded)[1:-1]]

    def shifted(axis: int, step: int) -> Tensor:
        starts = [dilation + step * (a == axis) for a in range(ndim)]
        window = [slice(s, s + n) for s, n in zip(starts, size, strict=True)]
        return padded[(slice(None), *window)]

    sides = [
        [shifted(axis, step) for step in (-dilation, dilation)] for axis in range(ndim)
    ]
    squares = [
        ops.square(one - other)
        for a, b in itertools.combinations(range(ndim), 2)
        for one, other in itertools.product(sides[a], sides[b])
    ]
    axes = range(2, ndim + 2)
    return window_means(ops.stack(squares), 2 * radius + 1, axes)
