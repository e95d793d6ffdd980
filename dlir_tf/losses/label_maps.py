"""Labels as maps: what part of each voxel belongs to each structure."""

from typing import Any

from keras import ops

from dlir_tf.compute.compilation import compiled_island
from dlir_tf.layers.pooling import average_pool

Tensor = Any

# What batches and samples call label images; both are there, or neither.
LABELS = ("fixed_labels", "moving_labels")


def label_maps(labels: Tensor, values: Tensor, factor: tuple[int, ...]) -> Tensor:
    """Returns one map per label, at the resolution of a stage.

    Unlike labels, maps can be averaged and interpolated.

    Args:
        labels: Whole numbers, `(batch, *size, 1)`.
        values: Which labels, for each sample its own, `(batch, num_labels)`; the map
            of the background 0 is empty.
        factor: Voxels per axis that are averaged.

    Returns:
        `(batch, *(size / factor), num_labels)`, float32, from 0 to 1.

    Example:

    >>> labels = ops.reshape(ops.array([3.0, 3.0, 0.0, 7.0]), (1, 2, 2, 1))
    >>> maps = label_maps(labels, ops.array([[7.0, 3.0, 0.0]]), (2, 2))
    >>> ops.convert_to_numpy(maps)[0, 0, 0]
    array([0.25, 0.5 , 0.  ], dtype=float32)
    """
    return _label_maps(labels, values, factor=tuple(factor))


@compiled_island  # the maps never exist at full resolution
def _label_maps(labels: Tensor, values: Tensor, *, factor: tuple[int, ...]) -> Tensor:
    axes = [1] * (len(labels.shape) - 2)
    wanted = ops.reshape(values, (-1, *axes, values.shape[-1]))
    found = ops.logical_and(labels == wanted, wanted != 0)
    return average_pool(ops.cast(found, "float32"), factor)
