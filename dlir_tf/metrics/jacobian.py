"""How smooth a displacement field is, and whether it folds."""

import math

import numpy as np

_LOG_CLIP = (1e-9, 1e9)
# Blocks of this many voxels stay in a processor's cache, with all their derivatives.
_BLOCK_VOXELS = 1 << 14


def jacobian_determinant(ddf: np.ndarray) -> np.ndarray:
    """Local change of volume of the map `x -> x + ddf(x)`.

    1 keeps the volume, below 1 shrinks, 0 or less folds. Central differences, at the
    border one-sided; along an axis with one voxel the field is taken as constant.
    The spacing doesn't matter: voxels and mm give the same determinant.

    Args:
        ddf: `(*spatial, ndim)`, displacements in voxels, component `a` along axis `a`.

    Returns:
        `(*spatial)`, in the precision of `ddf`, at least float32.

    Raises:
        ValueError: If the number of components isn't the number of axes.
    """
    ndim = ddf.ndim - 1
    if ddf.shape[-1] != ndim:
        raise ValueError(
            "jacobian_determinant: expected (*spatial, ndim), a component for each "
            f"axis. Received: {ddf.shape}"
        )
    result = np.empty(ddf.shape[:-1], np.result_type(ddf.dtype, np.float32))
    num_rows, size = len(result), max(math.prod(result.shape[1:]), 1)
    thickness = max(1, _BLOCK_VOXELS // size)
    for start in range(0, num_rows, thickness):
        # A row more on either side, for the differences.
        first, stop = max(start - 1, 0), min(start + thickness, num_rows)
        block = ddf[first : stop + 1].astype(result.dtype, copy=False)
        inner = slice(start - first, stop - first)
        result[start:stop] = _determinant(_derivatives(block))[inner]
    return result


def folded_percent(jacobian: np.ndarray) -> float:
    """Share of voxels where the map folds (determinant of 0 or less), in percent.

    Args:
        jacobian: Determinants, any shape; select a region by `jacobian[mask]`.
    """
    return float(100 * np.mean(jacobian <= 0))


def std_log_jacobian(jacobian: np.ndarray) -> float:
    """Standard deviation of the logarithm of the determinant: 0 is perfectly even.

    Determinants are clipped to [1e-9, 1e9] first, as in the Learn2Reg challenge, so
    each folded voxel weighs heavily: look at `folded_percent` beside it. (Learn2Reg's
    own script adds 3 to the determinant before; this function doesn't.)

    Args:
        jacobian: Determinants, any shape; select a region by `jacobian[mask]`.
    """
    logarithms = np.log(np.clip(jacobian, *_LOG_CLIP))
    return float(np.std(logarithms, dtype=np.float64))


def _derivatives(field: np.ndarray) -> list[list[np.ndarray]]:
    """Of the map: for each component, along each axis."""
    axes = range(field.ndim - 1)
    return [
        [
            _derivative(field[..., component], axis) + (component == axis)
            for axis in axes
        ]
        for component in axes
    ]


def _derivative(values: np.ndarray, axis: int) -> np.ndarray:
    """As `np.gradient`, but never in short steps along a short last axis."""
    size, result = values.shape[axis], np.zeros(values.shape, values.dtype)
    if size == 1:
        return result
    values = np.ascontiguousarray(values)
    # Neighbours along any axis are this far from each other in memory.
    stride = math.prod(values.shape[axis + 1 :])
    flat = values.reshape(-1)
    inner = result.reshape(-1)[stride:-stride]
    np.subtract(flat[2 * stride :], flat[: -2 * stride], out=inner)
    inner /= 2
    # At the border, that went on in the next row.
    rows, border = np.moveaxis(values, axis, 0), np.moveaxis(result, axis, 0)
    border[0], border[-1] = rows[1] - rows[0], rows[-1] - rows[-2]
    return result


def _determinant(rows: list[list[np.ndarray]]) -> np.ndarray:
    """Expands along the first row; far faster than LAPACK on many small matrices."""
    if len(rows) == 1:
        return rows[0][0]
    total = np.zeros_like(rows[0][0])
    for column, factor in enumerate(rows[0]):
        minor = [row[:column] + row[column + 1 :] for row in rows[1:]]
        total += (-1) ** column * factor * _determinant(minor)
    return total
