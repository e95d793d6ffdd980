"""A pair of images and all that belongs to it, on the working grid."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Sample:
    """A pair on its working grid, as it is kept.

    Attributes:
        fixed: Intensities in [0, 1], float16.
        moving: Likewise.
        mask: Where both images have voxels, bool.
        spacing: Voxel size in mm, float32.
        fixed_labels: Nearest neighbour on the working grid, as `number_labels` numbers
            them; `None` without labels.
        moving_labels: Likewise, through the initial alignment.
        shared_labels: The numbers that occur in both.
        fixed_points: Landmarks in voxels, `(num_points, ndim)`, float32; or none.
        moving_points: Likewise, through the initial alignment.
        fixed_mask: Which fixed voxels count, bool; `None` for all.
        moving_mask: Which moving voxels count, likewise.
    """

    fixed: np.ndarray
    moving: np.ndarray
    mask: np.ndarray
    spacing: np.ndarray
    fixed_labels: np.ndarray | None = None
    moving_labels: np.ndarray | None = None
    shared_labels: np.ndarray | None = None
    fixed_points: np.ndarray | None = None
    moving_points: np.ndarray | None = None
    fixed_mask: np.ndarray | None = None
    moving_mask: np.ndarray | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The working grid's shape."""
        return self.fixed.shape

    @property
    def num_bytes(self) -> int:
        """Memory that it takes."""
        arrays = (value for value in vars(self).values() if value is not None)
        return sum(array.nbytes for array in arrays)


def number_labels(fixed: np.ndarray, moving: np.ndarray) -> dict[str, np.ndarray]:
    """Numbers the labels of a pair, in their order: small numbers take less memory.

    Args:
        fixed: Integers; 0 is the background.
        moving: The same shape.

    Returns:
        `fixed_labels` and `moving_labels`, with 1, 2, ... for the labels that occur
        in either, in the smallest unsigned dtype; `shared_labels`, the numbers that
        occur in both.

    Example:

    >>> numbered = number_labels(np.array([0, 4, 900]), np.array([70, 900, 0]))
    >>> numbered["fixed_labels"], numbered["shared_labels"]
    (array([0, 1, 3], dtype=uint8), array([3], dtype=uint8))
    """
    sides = {"fixed_labels": fixed, "moving_labels": moving}
    found = [np.unique(labels) for labels in sides.values()]
    values = np.union1d(found[0], found[1])
    values = np.concatenate([[0], values[values != 0]])
    # Sorted but for the 0 in front of labels below it.
    order = np.argsort(values)
    dtype = np.min_scalar_type(len(values) - 1)

    def numbers(labels: np.ndarray) -> np.ndarray:
        places = np.searchsorted(values, labels, sorter=order)
        return order[places].astype(dtype)

    numbered = {name: numbers(labels) for name, labels in sides.items()}
    shared = numbers(np.intersect1d(found[0], found[1]))
    return {**numbered, "shared_labels": shared[shared != 0]}
