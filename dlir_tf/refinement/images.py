"""The images that a phase of a refinement compares."""

from dataclasses import dataclass, replace

import numpy as np


@dataclass(frozen=True, eq=False)
class PhaseImages:
    """Images at the resolution of a phase.

    Attributes:
        fixed: `(*size)`, float32; descriptors have channels behind.
        moving: The same shape.
        weights: How much each voxel of the fixed image counts, `(*size)`.
        moving_mask: Which voxels of the moving image count, `(*size)`, 0 or 1;
            `None` for all.
        origin: The voxel of the moving image where the fixed one and the weights
            begin, if they are only a part of it.
    """

    fixed: np.ndarray
    moving: np.ndarray
    weights: np.ndarray
    moving_mask: np.ndarray | None
    origin: tuple[int, ...] | None = None

    def within(self, voxels: tuple[slice, ...]) -> "PhaseImages":
        """Only a part of the fixed image; the moving one may be needed all around.

        Args:
            voxels: A range per axis.
        """
        return replace(
            self,
            fixed=np.ascontiguousarray(self.fixed[voxels]),
            weights=np.ascontiguousarray(self.weights[voxels]),
            origin=tuple(part.start for part in voxels),
        )


def counting_cells(weights: np.ndarray, cell: tuple[int, ...]) -> tuple[slice, ...]:
    """The ranges of cells that hold all voxels which count.

    Args:
        weights: How much each voxel counts.
        cell: Voxels per axis.

    Returns:
        A range of cells per axis; all of them if nothing counts.
    """
    ranges = []
    for axis, step in enumerate(cell):
        others = tuple(a for a in range(weights.ndim) if a != axis)
        places = np.flatnonzero(np.any(weights > 0, axis=others))
        if not places.size:
            return tuple(
                slice(0, n // s) for n, s in zip(weights.shape, cell, strict=True)
            )
        ranges.append(slice(int(places[0]) // step, int(places[-1]) // step + 1))
    return tuple(ranges)


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
