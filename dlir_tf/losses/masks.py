"""Masks of the images: which voxels count in the similarity.

Where a value is averaged or interpolated from several voxels, it counts only if all
of these are inside the mask. So nothing outside ever shows in the similarity, not
even by its share of a value at the border.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

from dlir_tf.compute.inside import is_wholly_inside
from dlir_tf.errors import InputError
from dlir_tf.layers.pooling import average_pool
from dlir_tf.layers.warp import Warp

Tensor = Any

# What batches and samples call them; both are optional.
MASKS = ("fixed_mask", "moving_mask")


def warp_mask(mask: Tensor, ddf: Tensor) -> Tensor:
    """Tells where an image that is warped linearly shows its mask's inside alone.

    Like the image, the mask goes on beyond its border as it is there.

    Args:
        mask: `(batch, *image_size, 1)`, 0 or 1.
        ddf: `(batch, *size, ndim)`, in voxels; no gradient flows to it.

    Returns:
        `(batch, *size, 1)`, 0 or 1.
    """
    return _as_weights(is_wholly_inside(Warp()(mask, ops.stop_gradient(ddf))))


def pool_mask(mask: Tensor, factor: tuple[int, ...]) -> Tensor:
    """Tells which averages of an image's voxels come from the mask's inside alone.

    Args:
        mask: `(batch, *size, 1)`, 0 or 1.
        factor: Voxels per axis that are averaged.

    Returns:
        `(batch, *(size / factor), 1)`, 0 or 1.
    """
    return _as_weights(is_wholly_inside(average_pool(mask, factor)))


def check_mask(
    mask: np.ndarray, name: str, downsamples: Sequence[tuple[int, ...]]
) -> None:
    """Makes sure that a mask is thick enough to be seen by every stage.

    Args:
        mask: On the working grid, bool.
        name: For the message.
        downsamples: By what factors the stages average the images.

    Raises:
        InputError: If it holds no whole block of voxels that a stage averages.
    """
    for number, factor in enumerate(downsamples, start=1):
        sizes = zip(mask.shape, factor, strict=True)
        blocks = mask.reshape([n for size, r in sizes for n in (size // r, r)])
        if not blocks.all(axis=tuple(range(1, 2 * mask.ndim, 2))).any():
            raise InputError(
                f"{name} is too thin for stage {number}, whose voxels are averages of "
                f"{' × '.join(map(str, factor))} voxels of the working grid: none is "
                "wholly inside; use a thicker mask, a finer spacing or a smaller "
                "downsample"
            )


def _as_weights(inside: Tensor) -> Tensor:
    return ops.cast(inside, "float32")
