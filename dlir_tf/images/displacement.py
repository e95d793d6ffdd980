"""Displacement fields as ITK, ANTs and Slicer write and read them: LPS+ mm.

The exact turn of a NIfTI file: five axes i, j, k, time (1) and the vector, with intent
1007. Fields of other programs look alike and mean something else: see `field_meaning`.
"""

import os
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import numpy.typing as npt

from dlir_tf.errors import InputError
from dlir_tf.images.contents import Contents, check_finite
from dlir_tf.images.field_meaning import meaning_of
from dlir_tf.images.frame import flip_ras_lps, mm_per_unit
from dlir_tf.images.grid import (
    PLANE,
    Grid,
    column_norms,
    in_space,
    is_invertible,
    is_sheared,
    is_upright,
)
from dlir_tf.images.orientation import corners_apart, forms_of
from dlir_tf.images.reading import load
from dlir_tf.images.writing import save_nifti


@dataclass(frozen=True, eq=False)
class StoredField:
    """A field of displacements as a file has it.

    Attributes:
        displacement: `(*grid.shape, ndim)`, float32, RAS+ mm, at each voxel's centre;
            or of each control point.
        grid: Where the voxels or the control points lie.
        maps_back: Whether it takes points of the moving image to the fixed one.
        cubic: Whether they are the control points of a cubic B-spline.
    """

    displacement: npt.NDArray[np.float32]
    grid: Grid
    maps_back: bool
    cubic: bool


def write_displacement(
    path: str | os.PathLike[str], ddf_mm: np.ndarray, grid: Grid
) -> None:
    """Writes a displacement field as ITK, ANTs and Slicer read it.

    Args:
        path: A name that ends with `.nii` or `.nii.gz`.
        ddf_mm: `(*grid.shape, ndim)`, world displacement RAS+ mm of each voxel's
            centre.
        grid: Where the voxels lie.

    Raises:
        InputError: If the name or the folder don't allow it, or if the axes aren't
            perpendicular, which ITK can't read.
    """
    if ddf_mm.shape != (*grid.shape, grid.ndim):
        raise ValueError(
            f"write_displacement: expected the shape {(*grid.shape, grid.ndim)} on "
            f"this grid. Received: {ddf_mm.shape}"
        )
    if grid.is_sheared:
        raise InputError(
            "a displacement field must lie on perpendicular axes for ITK to read it, "
            "but the grid is sheared; give it on the grid of another image",
            place=Path(path),
        )
    vectors = flip_ras_lps(ddf_mm).astype(np.float32, copy=False)
    shape = (*(*grid.shape, 1, 1)[:4], grid.ndim)  # five axes: i, j, k, t, v
    matrix = in_space(grid.affine) if grid.ndim == 2 else grid.affine
    save_nifti(Path(path), vectors.reshape(shape), matrix, None, intent="vector")


def read_displacement(
    path: str | os.PathLike[str],
) -> tuple[npt.NDArray[np.float32], Grid, bool]:
    """Reads a displacement field that ITK, ANTs, Slicer or `write_displacement` wrote.

    Args:
        path: A NIfTI file of five axes, or a MetaImage or NRRD file of vectors.

    Returns:
        `ddf_mm`, `(*grid.shape, ndim)`, the world displacement RAS+ mm of each voxel's
        centre; `grid`; and whether the field takes points of the moving image to the
        fixed one, as Slicer's fields of type `modeling` do.

    Raises:
        InputError: If `read_stored_field` can't read it, or if it holds a spline.
    """
    stored = read_stored_field(path)
    if stored.cubic:
        raise InputError(
            f"{os.fspath(path)}: must hold displacements at voxels, but holds the "
            "control points of a spline; read it as a transform (read_transform)"
        )
    return stored.displacement, stored.grid, stored.maps_back


def read_stored_field(path: str | os.PathLike[str]) -> StoredField:
    """Reads a field of any program whose meaning its file states.

    Args:
        path: A NIfTI file of five axes, or a MetaImage or NRRD file of vectors.

    Raises:
        InputError: If the file can't be read completely; if it isn't a field of
            `ndim` finite numbers a voxel, 2-d or 3-d; if what its vectors mean isn't
            known; or if its header contradicts itself about the grid, or states none
            that ITK could.
    """
    path = Path(path)
    contents = load(path)
    meaning = meaning_of(path, contents)
    if contents.header is not None:
        _check_header(path, contents.header)
    vectors = _vectors(path, contents)
    ndim = vectors.shape[-1]
    matrix = contents.matrix
    if ndim == 2 and not is_upright(matrix):
        raise InputError(
            f"{path}: a 2-d displacement field must lie in the world's first plane, "
            f"but its affine is {matrix.tolist()}; write it with an upright one"
        )
    affine = matrix if ndim == 3 else matrix[PLANE]
    _check_grid(path, affine, contents.zooms[:ndim])
    check_finite(path, vectors)
    grid = Grid(vectors.shape[:-1], affine)
    vectors = flip_ras_lps(vectors) if meaning.lps else vectors
    if meaning.positions:
        vectors = vectors - grid.points()
    narrow = vectors.astype(np.float32, copy=False)
    return StoredField(narrow, grid, meaning.maps_back, meaning.cubic)


def _vectors(path: Path, contents: Contents) -> np.ndarray:
    """The field as `(*spatial, ndim)`, in the file's own sense."""
    array, count = contents.array, contents.array.shape[-1]
    if contents.header is not None:
        if array.ndim == 5 and array.shape[3] == 1:
            array = array[:, :, :, 0]
        else:
            count = 0
    elif contents.num_components == 1:
        count = 0
    if count == 2 and array.ndim == 4 and array.shape[2] == 1:
        array = array[:, :, 0]
    if count not in (2, 3) or array.ndim != count + 1 or array.dtype.kind != "f":
        raise InputError(
            f"{path}: a displacement field must have one vector of ndim real numbers "
            "a voxel (NIfTI: five axes i, j, k, 1, ndim, as ITK and ANTs write it), "
            f"but its shape is {contents.array.shape}, of {array.dtype}; convert it "
            "with the program that wrote it"
        )
    return array


def _check_header(path: Path, header: nib.Nifti1Header) -> None:
    """What only a NIfTI header can say wrongly."""
    if mm_per_unit(header) != 1:
        raise InputError(
            f"{path}: a displacement field must be in mm, but its header names another "
            "unit of length; convert it"
        )
    forms = forms_of(header)
    if header["qform_code"] and "qform" not in forms:
        raise InputError(
            f"{path}: the qform of a displacement field must be a rotation, but its "
            "quaternion isn't; write it again with the program that made it"
        )
    if len(forms) < 2:
        return
    apart = corners_apart(header, *forms.values())
    if not apart <= 0.5 * column_norms(forms["sform"]).min():
        raise InputError(
            f"{path}: the grid must match the header, but sform and qform place it "
            f"{apart:.3g} mm apart; clear the one that is wrong"
        )


def _check_grid(path: Path, affine: np.ndarray, zooms: np.ndarray) -> None:
    norms = column_norms(affine)
    if not is_invertible(affine):
        problem = f"its affine {affine.tolist()} is not invertible"
    elif is_sheared(affine):
        problem = "its axes are not perpendicular, as they would be from ITK"
    elif not np.allclose(norms, zooms, rtol=0.01, atol=0):
        problem = f"its affine has spacing {norms.tolist()}, pixdim {zooms.tolist()}"
    else:
        return
    raise InputError(
        f"{path}: the grid of a displacement field must match its header, but "
        f"{problem}; write it again with the program that made it"
    )
