"""Displacement fields as image files, which nearly every program reads."""

from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.images import Grid, write_displacement
from dlir_tf.images.displacement import StoredField, read_stored_field
from dlir_tf.images.formats import NIFTI_SUFFIXES
from dlir_tf.images.itk_files import write_with_itk
from dlir_tf.transforms.bspline import BSpline
from dlir_tf.transforms.dense_field import DenseField
from dlir_tf.transforms.files.dense_form import (
    dense_form,
    largest_error,
    simplified,
    without_single_axes,
)
from dlir_tf.transforms.files.itk_conversion import field_to_itk
from dlir_tf.transforms.transform import Transform


def read_field(path: Path) -> Transform:
    """Reads a displacement field: a transform with one `DenseField`, or its inverse.

    Of NiftyReg's control points, it's a `BSpline`.

    Args:
        path: A NIfTI, MetaImage or NRRD file of vectors.

    Raises:
        InputError: If the file isn't such a field.
    """
    stored = read_stored_field(path)
    if stored.cubic:
        return Transform((_spline(path, stored),))
    field = DenseField(stored.displacement, stored.grid.affine)
    return Transform((field.inverse() if stored.maps_back else field,))


def _spline(path: Path, stored: StoredField) -> BSpline:
    if min(stored.grid.shape) < 4:
        raise InputError(
            f"{path}: a cubic spline must have at least 4 control points along each "
            f"axis, but has {stored.grid.shape}; the file is damaged, so write it again"
        )
    return BSpline(stored.displacement, stored.grid.affine)


def write_field(path: Path, transform: Transform, reference: Grid | None) -> float:
    """Writes the total displacement, as float32, LPS+ mm.

    Args:
        path: A file that ends with `.nii`, `.nii.gz`, `.mha` or `.nrrd`.
        transform: What to write. A single `DenseField` keeps its own grid.
        reference: The grid of the field.

    Returns:
        The largest error in mm, by `largest_error`.

    Raises:
        InputError: If a reference is needed and there is none, or its axes aren't
            perpendicular.
    """
    components = [simplified(component) for component in transform.components]
    field = dense_form(path, components, reference)
    error = largest_error(transform, Transform((field,)), field.grid)
    field = without_single_axes(field)
    if path.name.endswith(NIFTI_SUFFIXES):
        write_displacement(path, field.displacement, field.grid)
    else:
        _write_with_itk(path, field)
    return error


def _write_with_itk(path: Path, field: DenseField) -> None:
    if field.grid.is_sheared:
        raise InputError(
            "a displacement field must lie on perpendicular axes to be read again, "
            "but the grid is sheared; give it on the grid of another image",
            place=path,
        )
    write_with_itk(path, field_to_itk(field))
