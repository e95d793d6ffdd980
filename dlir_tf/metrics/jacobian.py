"""How smooth a displacement field is, and whether it folds."""

import numpy as np

_LOG_CLIP = (1e-9, 1e9)


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
    field = ddf.astype(np.result_type(ddf.dtype, np.float32), copy=False)
    rows = [
        [
            _derivative(field[..., component], axis) + (component == axis)
            for axis in range(ndim)
        ]
        for component in range(ndim)
    ]
    return _determinant(rows)


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
    return float(np.std(np.log(np.clip(jacobian.astype(np.float64), *_LOG_CLIP))))


def _derivative(values: np.ndarray, axis: int) -> np.ndarray:
    if values.shape[axis] == 1:
        return np.zeros_like(values)
    return np.asarray(np.gradient(values, axis=axis))


def _determinant(rows: list[list[np.ndarray]]) -> np.ndarray:
    """Expands along the first row; far faster than LAPACK on many small matrices."""
    if len(rows) == 1:
        return rows[0][0]
    total = np.zeros_like(rows[0][0])
    for column, factor in enumerate(rows[0]):
        minor = [row[:column] + row[column + 1 :] for row in rows[1:]]
        total += (-1) ** column * factor * _determinant(minor)
    return total
