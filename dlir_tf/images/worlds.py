"""The turn between our world, RAS+, and that of ITK, ANTs, Slicer and DICOM, LPS+."""

import numpy as np


def flip_ras_lps(vectors: np.ndarray) -> np.ndarray:
    """Turns RAS+ points or displacements into LPS+ ones, or back.

    Args:
        vectors: `(..., 2)` or `(..., 3)`; it isn't changed.
    """
    signs = np.array([-1, -1, 1][: vectors.shape[-1]], dtype=vectors.dtype)
    return np.asarray(vectors * signs)


def flip_affine(affine: np.ndarray) -> np.ndarray:
    """Turns a voxel-to-world matrix from RAS+ to LPS+, or back.

    Args:
        affine: `(ndim + 1, ndim + 1)`; it isn't changed.
    """
    flipped = np.array(affine)
    flipped[:-1] = flip_ras_lps(affine[:-1].T).T
    return flipped
