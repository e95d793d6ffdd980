"""Overlap of structures, for training with labels."""

from typing import Any

from keras import ops

Tensor = Any

# Far below one voxel: tells a structure that is there from one that isn't.
_NOTHING = 1e-6


def soft_dice(fixed: Tensor, moved: Tensor, mask: Tensor | None = None) -> Tensor:
    """Mean overlap of the structures of each sample, differentiable.

    The sums of squares in the denominator make it 1 for equal maps, also where these
    are fractions: at the borders of structures that were averaged or interpolated.

    Reference:

    - Milletari et al. (2016), "V-Net: fully convolutional neural networks for
      volumetric medical image segmentation".
      https://doi.org/10.1109/3DV.2016.79

    Args:
        fixed: Which part of each voxel belongs to each structure, from 0 to 1,
            `(batch, *size, num_labels)`; one-hot maps, or such averaged or warped.
        moved: The same shape.
        mask: Weights of the voxels, `(batch, *size, 1)`; `None` for all ones.

    Returns:
        `(batch,)`, from 0 (apart) to 1 (equal). Structures that occur in neither
        count in no mean; where there are none at all, it is 1.

    Example: one structure is found by half, another one is absent.

    >>> fixed = ops.reshape(ops.array([[1.0, 0.0]] * 4), (1, 4, 1, 2))
    >>> moved = fixed * ops.reshape(ops.array([1.0, 1.0, 0.0, 0.0]), (1, 4, 1, 1))
    >>> round(float(soft_dice(fixed, moved)[0]), 3)
    0.667
    """
    axes = tuple(range(1, len(fixed.shape) - 1))
    fixed, moved = ops.cast(fixed, "float32"), ops.cast(moved, "float32")
    weights = 1.0 if mask is None else ops.cast(mask, "float32")
    shared = ops.sum(weights * fixed * moved, axis=axes)
    squares = ops.sum(weights * (ops.square(fixed) + ops.square(moved)), axis=axes)
    there = ops.cast(squares > _NOTHING, "float32")
    overlaps = there * 2.0 * shared / ops.maximum(squares, _NOTHING)
    num_there = ops.sum(there, axis=-1)
    mean = ops.sum(overlaps, axis=-1) / ops.maximum(num_there, 1.0)
    return ops.where(num_there > 0, mean, ops.ones_like(mean))
