"""Where a file's voxels lie: its affine, its pixdim, its unit of length.

**Which spacing is right.** A NIfTI file states its spacing twice: in the affine and
in pixdim. Where the two differ by more than 1 %, `spacing_source="auto"` takes
pixdim, as ITK, ANTs and Slicer do: the columns of the affine are rescaled, the
directions and the position of the first voxel stay. A pixdim of 1 along every axis
was most likely never filled in (nibabel reads 0 as 1, too); then the affine is taken,
as it is where pixdim isn't finite. Either way a `SpacingWarning` names both;
`"affine"` and `"pixdim"` force one, silently.
"""

import warnings
from pathlib import Path
from typing import Literal

import nibabel as nib
import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images.contents import Contents
from dlir_tf.images.grid import PLANE, column_norms, is_invertible, is_upright

SpacingSource = Literal["auto", "affine", "pixdim"]

_MM_PER_UNIT = {1: 1000.0, 3: 0.001}  # NIfTI codes: 1 metre, 3 micron; else mm


class SpacingWarning(UserWarning):
    """A file's affine and its pixdim state different spacings."""


def place(path: Path, contents: Contents, source: SpacingSource) -> np.ndarray:
    """The affine of the 2-d or 3-d images in a file, by the rules of this module."""
    if source not in ("auto", "affine", "pixdim"):
        raise InputError(
            f"spacing_source: must be auto, affine or pixdim. Received: {source!r}"
        )
    header, matrix = contents.header, contents.matrix
    zooms = contents.zooms[: min(contents.array.ndim, 3)]
    if header is not None and not (header["qform_code"] or header["sform_code"]):
        warnings.warn(
            f"{path}: the header states no orientation (qform and sform are "
            "unset); took nibabel's guess, other programs may guess differently",
            stacklevel=4,
        )
    affine = matrix
    if len(zooms) == 2 and is_upright(matrix):
        affine = matrix[PLANE]
    elif len(zooms) == 2:
        warnings.warn(
            f"{path}: a 2-d image whose plane is tilted in the world; its place is "
            "left out and only its spacing kept",
            stacklevel=4,
        )
        affine = np.diag([*column_norms(matrix)[:2], 1.0])
    norms = column_norms(affine)
    if not is_invertible(affine):
        raise InputError(
            f"{path}: the affine must be finite and invertible, but is "
            f"{matrix.tolist()}; set it right in the file's header (NIfTI: sform)"
        )
    spacing = _choose_spacing(path, norms, zooms, source)
    return np.asarray(affine * np.append(spacing / norms, 1.0))


def _choose_spacing(
    path: Path, norms: np.ndarray, zooms: np.ndarray, source: SpacingSource
) -> np.ndarray:
    """The spacing rule of this module."""
    usable = bool(np.all(np.isfinite(zooms) & (zooms > 0)))
    if source == "pixdim" and not usable:
        raise InputError(
            f"{path}: pixdim must be positive, but is {_format(zooms)}; take the "
            "spacing of the affine"
        )
    if source != "auto":
        return zooms if source == "pixdim" else norms
    if np.allclose(norms, zooms, rtol=0.01, atol=0):
        return norms
    filled_in = usable and bool(np.any(zooms != 1))
    taken = "pixdim" if filled_in else "the affine"
    warnings.warn(
        f"{path}: the affine says {_format(norms)} mm, pixdim {_format(zooms)} mm; "
        f"took {taken} (--spacing-source, or spacing_source in Python, forces "
        "either)",
        SpacingWarning,
        stacklevel=5,
    )
    return zooms if filled_in else norms


def _format(spacing: np.ndarray) -> str:
    return " x ".join(f"{value:g}" for value in spacing)


def mm_per_unit(header: nib.Nifti1Header) -> float:
    """How many mm the header's unit of length is; 1 where it doesn't say."""
    return _MM_PER_UNIT.get(int(header["xyzt_units"]) & 7, 1.0)


def in_mm(matrix: np.ndarray, header: nib.Nifti1Header) -> np.ndarray:
    """Turns an affine from the header's unit of length to mm.

    Args:
        matrix: Voxel to world, `(4, 4)`, in the unit that the header names.
        header: Names the unit.
    """
    scale = mm_per_unit(header)
    return np.asarray(matrix * [[scale], [scale], [scale], [1.0]])


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
