"""Folding: where a field turns the image inside out."""

from typing import Any

from keras import ops

from dlir_tf.compute.compilation import compiled_island

Tensor = Any


def folding_penalty(ddf: Tensor, margin: float = 0.0) -> Tensor:
    """Mean of how far the Jacobian determinants are below a margin.

    Derivatives are central differences, one-sided at the border and 0 along an axis
    of one voxel, as for `dlir_tf.metrics.jacobian_determinant`: with the margin 0,
    the penalty is 0 exactly where that finds no determinant below 0.

    Args:
        ddf: Displacements in voxels, `(batch, *size, ndim)`.
        margin: Determinants below it are penalised; above 0, the field is kept away
            from folding, not only brought back.

    Returns:
        `(batch,)`, at least 0; 0 for the identity.

    Example: a reflection of the first axis, x -> -x, has the determinant -1.

    >>> x = ops.broadcast_to(ops.reshape(ops.arange(4.0), (1, 4, 1)), (1, 4, 3))
    >>> float(folding_penalty(ops.stack([-2.0 * x, 0.0 * x], axis=-1))[0])
    1.0
    """
    return _folding_penalty(ops.cast(ddf, "float32"), margin=float(margin))


@compiled_island
def _folding_penalty(ddf: Tensor, *, margin: float) -> Tensor:
    ndim = ddf.shape[-1]
    rows = [
        [
            _derivative(ddf[..., component], axis) + float(component == axis)
            for axis in range(ndim)
        ]
        for component in range(ndim)
    ]
    below = ops.maximum(margin - _determinant(rows), 0.0)
    return ops.mean(below, axis=tuple(range(1, ndim + 1)))


def _derivative(values: Tensor, axis: int) -> Tensor:
    """Half the difference of both neighbours; at the border, that of one of them."""
    before = (slice(None),) * (axis + 1)
    first, last = values[(*before, slice(None, 1))], values[(*before, slice(-1, None))]
    following = ops.concatenate([values[(*before, slice(1, None))], last], axis + 1)
    previous = ops.concatenate([first, values[(*before, slice(None, -1))]], axis + 1)
    size = ops.shape(values)[axis + 1]
    places = ops.arange(size)
    steps = ops.minimum(places + 1, size - 1) - ops.maximum(places - 1, 0)
    steps = ops.cast(ops.maximum(steps, 1), "float32")
    axes = [-1 if a == axis + 1 else 1 for a in range(len(values.shape))]
    return (following - previous) / ops.reshape(steps, axes)


def _determinant(rows: list[list[Tensor]]) -> Tensor:
    """Expands along the first row."""
    if len(rows) == 1:
        return rows[0][0]
    total: Tensor = 0.0
    for column, factor in enumerate(rows[0]):
        minor = [row[:column] + row[column + 1 :] for row in rows[1:]]
        total = total + (-1.0) ** column * factor * _determinant(minor)
    return total
