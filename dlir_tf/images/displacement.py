"""Displacement fields for ITK, ANTs and Slicer, and the turn into their world."""

import os
from pathlib import Path

import numpy as np

from dlir_tf.images.writing import affine_4x4, save


def write_displacement(
    path: str | os.PathLike[str], ddf_mm: np.ndarray, affine: np.ndarray
) -> None:
    """Writes a displacement field as ITK, ANTs and Slicer read it.

    Args:
        path: A name that ends with `.nii` or `.nii.gz`.
        ddf_mm: `(*spatial, ndim)`, world displacement RAS+ mm of each voxel's centre.
        affine: `(ndim + 1, ndim + 1)`, voxel to world RAS+ mm.

    Raises:
        InputError: If the name or the folder don't allow it.
    """
    ndim = ddf_mm.shape[-1]
    if ndim not in (2, 3) or ddf_mm.ndim != ndim + 1 or len(affine) != ndim + 1:
        raise ValueError(
            "write_displacement: expected ddf_mm (i, j, 2) with a 3x3 affine or "
            f"(i, j, k, 3) with a 4x4 one. Received: {ddf_mm.shape} and {affine.shape}"
        )
    vectors = flip_ras_lps(ddf_mm).astype(np.float32)
    shape = (*ddf_mm.shape[:-1], *(1,) * (4 - ndim), ndim)  # five axes: i, j, k, t, v
    save(Path(path), vectors.reshape(shape), affine_4x4(affine, None), None, "vector")


def flip_ras_lps(vectors: np.ndarray) -> np.ndarray:
    """Turns RAS+ points or displacements into LPS+ ones, or back.

    Args:
        vectors: `(..., 2)` or `(..., 3)`; it isn't changed.
    """
    signs = np.array([-1, -1, 1][: vectors.shape[-1]], dtype=vectors.dtype)
    return np.asarray(vectors * signs)
