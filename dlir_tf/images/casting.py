"""Changes the type of voxels, to one that files hold."""

from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf.errors import InputError

_STORED_AS: dict[str, np.dtype[Any]] = {
    "bool": np.dtype(np.uint8),
    "float16": np.dtype(np.float32),
    "float128": np.dtype(np.float64),
}


def cast_voxels(array: np.ndarray, dtype: np.dtype[Any], path: Path) -> np.ndarray:
    """Changes the voxel type; integers are rounded and clipped, never wrapped.

    Args:
        array: The voxels; they aren't changed.
        dtype: The type that is asked for. What not all formats hold becomes what they
            do: bool uint8, float16 float32, float128 float64.
        path: The file to write, for the message.

    Raises:
        InputError: If NaN or infinite voxels were to become integers.
    """
    dtype = _STORED_AS.get(dtype.name, dtype)
    if dtype.kind not in "iu" or array.dtype.kind not in "iuf":
        return array.astype(dtype, copy=False)
    limits = np.iinfo(dtype)
    if array.dtype.kind == "f":
        if not np.isfinite(array).all():
            raise InputError(
                f"NaN or infinite voxels can't be written as {dtype}; choose a "
                "floating-point dtype",
                place=path,
            )
        # float64 holds every limit exactly, apart from those of 64-bit integers.
        high = min(limits.max, 2**63 - 1024)
        rounded = np.rint(array.astype(np.float64))
        return np.asarray(np.clip(rounded, limits.min, high), dtype=dtype)
    own = np.iinfo(array.dtype)
    if own.min >= limits.min and own.max <= limits.max:
        return array.astype(dtype, copy=False)
    low, high = max(limits.min, own.min), min(limits.max, own.max)
    return np.asarray(np.clip(array, low, high).astype(dtype))
