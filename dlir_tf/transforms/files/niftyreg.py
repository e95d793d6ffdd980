"""Writing NiftyReg's fields: what `reg_resample -trans` takes, and reg_transform makes.

At each voxel of the fixed image stands the point of the moving one that belongs there
(`-def`, a deformation field), or the way to it (`-disp`, a displacement field), RAS+
mm. The intent's name and its first parameter tell them apart. They are read as fields
are; its matrices are in `matrices`.
"""

from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.images import Grid
from dlir_tf.images.grid import in_space
from dlir_tf.images.writing import save_nifti
from dlir_tf.transforms.files.dense_form import vectors_form
from dlir_tf.transforms.files.matrix_writing import check_between, write_niftyreg_matrix
from dlir_tf.transforms.transform import Transform

_CALLED = "NREG_TRANS"
_DEFORMATION, _DISPLACEMENT = 0, 1


def write_niftyreg(
    path: Path, transform: Transform, fixed: Grid | None, moving: Grid | None
) -> float:
    """Writes a matrix, `.txt`, or a deformation field, `.nii` or `.nii.gz`.

    Args:
        path: The file, whose name says which.
        transform: What to write; as a matrix, of affine components alone and 3-d. As a
            field, a single `DenseField` keeps its own grid.
        fixed: The grid of the fixed image, for a field.
        moving: Isn't needed.

    Returns:
        The largest error in mm, by `largest_error`; 0.0 for a matrix.

    Raises:
        InputError: If the form can't hold the transform, or a field's grid is needed
            and there is none, has one slice, or has axes that aren't perpendicular.
    """
    if path.name.endswith(".txt"):
        return write_niftyreg_matrix(path, transform)
    return _write(path, transform, fixed, _DEFORMATION)


def write_niftyreg_displacement(
    path: Path, transform: Transform, fixed: Grid | None, moving: Grid | None
) -> float:
    """Writes a displacement field, as `write_niftyreg` does a deformation field."""
    return _write(path, transform, fixed, _DISPLACEMENT)


def check_niftyreg(path: Path, fixed: Grid, moving: Grid) -> None:
    """Refuses images that a file of NiftyReg's can't be between.

    Raises:
        InputError: If an image is 2-d, for a matrix; if the fixed one is a single
            slice in 3-d space, for a field.
    """
    if path.name.endswith(".txt"):
        check_between(path, fixed, moving, program="NiftyReg", straight=False)
    elif fixed.ndim == 3 and fixed.shape[2] == 1:
        raise InputError(
            "NiftyReg takes an image of one slice for a 2-d one, but the transform is "
            "3-d; give it on the grid of an image with several slices",
            place=path,
        )


def _write(path: Path, transform: Transform, fixed: Grid | None, kind: int) -> float:
    vectors, grid, error = vectors_form(
        path, transform, fixed, positions=kind == _DEFORMATION
    )
    check_niftyreg(path, grid, grid)
    five = (*(*grid.shape, 1, 1)[:4], grid.ndim)  # five axes: i, j, k, t, v
    matrix = in_space(grid.affine) if grid.ndim == 2 else grid.affine
    stored = vectors.reshape(five)
    save_nifti(path, stored, matrix, None, intent="vector", called=_CALLED, kind=kind)
    return error
