"""The images that a phase of a refinement compares."""

from dataclasses import dataclass

import numpy as np

# Less than 1 by what rounds a point that lies exactly on a voxel.
_WHOLE = 0.999


@dataclass(frozen=True, eq=False)
class PhaseImages:
    """Images at the resolution of a phase.

    Attributes:
        fixed: `(*size)`, float32; descriptors have channels behind.
        moving: The same shape.
        weights: How much each voxel of the fixed image counts, `(*size)`.
        moving_mask: Which voxels of the moving image count, `(*size)`, 0 or 1;
            `None` for all.
    """

    fixed: np.ndarray
    moving: np.ndarray
    weights: np.ndarray
    moving_mask: np.ndarray | None


def pool(image: np.ndarray, factor: tuple[int, ...]) -> np.ndarray:
    """Averages blocks of an image; see `dlir_tf.layers.pooling.average_pool`.

    Args:
        image: `(*size)` or `(*size, channels)`, float32; sizes are multiples of the
            factors.
        factor: Voxels per axis.
    """
    for axis, step in enumerate(factor):
        if step > 1:
            shape = (*image.shape[:axis], -1, step, *image.shape[axis + 1 :])
            image = image.reshape(shape).mean(axis=axis + 1)
    return image


def is_wholly_inside(mask: np.ndarray) -> np.ndarray:
    """Where averages of a mask come from its inside alone, float32, 0 or 1."""
    return (mask >= _WHOLE).astype(np.float32)
