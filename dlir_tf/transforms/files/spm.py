"""Writing SPM's deformations, `y_*.nii` and `iy_*.nii`.

At each voxel of the fixed image stands the point of the moving one that belongs there,
RAS+ mm. SPM's `iy_` is the same of the inverse. They are read as fields are.
"""

from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.images import Grid
from dlir_tf.images.writing import save_nifti
from dlir_tf.transforms.files.dense_form import vectors_form
from dlir_tf.transforms.transform import Transform

_CALLED = "Mapping"  # by SPM


def check_spm(path: Path, fixed: Grid, moving: Grid) -> None:
    """Refuses images that a deformation of SPM can't be between.

    Raises:
        InputError: If one is 2-d.
    """
    _check_rank(path, min(fixed.ndim, moving.ndim))


def write_spm(
    path: Path, transform: Transform, fixed: Grid | None, moving: Grid | None
) -> float:
    """Writes what SPM's Deformations takes as a deformation field.

    Args:
        path: A name that ends with `.nii`: SPM reads no compressed files.
        transform: What to write, 3-d. A single `DenseField` keeps its own grid.
        fixed: The grid of the fixed image.
        moving: Isn't needed.

    Returns:
        The largest error in mm, by `largest_error`.

    Raises:
        InputError: If the transform is 2-d, a grid is needed and there is none, or its
            axes aren't perpendicular.
    """
    _check_rank(path, transform.ndim)
    positions, grid, error = vectors_form(path, transform, fixed, positions=True)
    vectors = positions[:, :, :, None]  # five axes: i, j, k, t, v
    save_nifti(path, vectors, grid.affine, None, intent="vector", called=_CALLED)
    return error


def _check_rank(path: Path, ndim: int) -> None:
    if ndim != 3:
        raise InputError(
            "a deformation of SPM is between 3-d images, but the transform is 2-d; "
            "write another form",
            place=path,
        )
