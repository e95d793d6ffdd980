"""ITK's transform files: HDF5, text and Matlab, as ITK, ANTs and Slicer use them."""

import threading
from pathlib import Path

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.files import name_for_itk, replacing, reserve
from dlir_tf.files.plain import check_plain
from dlir_tf.images import Grid
from dlir_tf.images.itk_files import incomplete, itk_writing, quiet_itk, reason
from dlir_tf.transforms.affine import Affine
from dlir_tf.transforms.bspline import BSpline
from dlir_tf.transforms.component import Component
from dlir_tf.transforms.dense_field import DenseField
from dlir_tf.transforms.files.dense_form import grid_for, largest_error, simplified
from dlir_tf.transforms.files.hdf5_times import remove_times
from dlir_tf.transforms.files.itk_conversion import from_itk, to_itk
from dlir_tf.transforms.files.itk_integrity import HDF5_SUFFIXES, stored_types
from dlir_tf.transforms.transform import Transform

# ITK's HDF5 breaks if two threads use it.
_one_at_a_time = threading.RLock()

# What ITK's files hold exactly, and by which arrays.
_ARRAYS: dict[type[Component], tuple[str, ...]] = {
    Affine: ("matrix",),
    BSpline: ("control_points", "lattice"),
    DenseField: ("displacement", "affine"),
}


def read_itk(path: Path) -> Transform:
    """Reads a transform that ITK or a program built on it wrote.

    Args:
        path: A file that ends with `.h5`, `.hdf5`, `.tfm`, `.txt` or `.mat`.

    Raises:
        InputError: If the file is damaged or of another format, or holds a transform
            that isn't linear, a cubic B-spline or a displacement field.
    """
    import SimpleITK as sitk

    check_plain(path, "give the path of a transform's file")
    types = stored_types(path)
    try:
        with _one_at_a_time, quiet_itk():
            stored = sitk.ReadTransform(name_for_itk(path))
    except (RuntimeError, TypeError, KeyError) as error:
        said = reason(error) if isinstance(error, RuntimeError) else "unknown type"
        raise InputError(
            f"{path}: SimpleITK can't read the transforms in it, {', '.join(types)} "
            f"({said}); the file is damaged, or they have to be converted to a "
            "displacement field"
        ) from error
    return Transform(tuple(from_itk(path, stored)))


def write_itk(path: Path, transform: Transform, reference: Grid | None) -> float:
    """Writes a composite transform, exactly as far as ITK can express it.

    Affine components, splines and dense fields are written as they are, rigid ones and
    similarities by ITK's own words for them. ITK can't
    store the inverse of a deformation: everything from the first deformation to the
    last such inverse becomes one dense field, on the grid where the affine components
    before it take the reference.

    Args:
        path: A file that ends with `.h5`, `.hdf5`, `.tfm` or `.txt`.
        transform: What to write.
        reference: The grid for the dense field, if one is needed.

    Returns:
        0.0, or the largest error of the dense form in mm, by `largest_error`.

    Raises:
        InputError: If a reference is needed and there is none.
    """
    components = [simplified(component) for component in transform.components]
    exact = tuple(_ARRAYS)
    inexact = [n for n, part in enumerate(components) if not isinstance(part, exact)]
    error = 0.0
    if inexact:
        grid = grid_for(path, reference)
        components = _with_dense_part(components, inexact[-1] + 1, grid)
        written = Transform(tuple(components))
        error = largest_error(transform, written, grid)
    save_itk(path, Transform(tuple(components)))
    return error


def save_itk(path: Path, transform: Transform, *, as_affine: bool = False) -> None:
    """Writes an exact form to a file of any of ITK's formats, whole or not at all.

    ITK tells of no failure to write the end of a file, so what it wrote is read again.
    `as_affine` calls every matrix an `AffineTransform`, as ANTs does.

    Raises:
        WriteError: If the disk doesn't take it.
    """
    import SimpleITK as sitk

    with replacing(path) as unfinished, _one_at_a_time, itk_writing(unfinished):
        if path.suffix in HDF5_SUFFIXES:
            arrays = [getattr(c, n) for c in transform.components for n in _arrays(c)]
            reserve(unfinished, sum(8 * array.size for array in arrays) + 2**16)
        stored = to_itk(transform, as_affine=as_affine)
        sitk.WriteTransform(stored, name_for_itk(unfinished))
        if path.suffix in HDF5_SUFFIXES:
            remove_times(unfinished)
        if not _is_same(unfinished, transform):
            raise incomplete(unfinished)


def _is_same(path: Path, transform: Transform) -> bool:
    """Whether a file holds a transform, but for what a turn of the world rounds."""
    try:
        written = read_itk(path).components
    except InputError:
        return False
    if len(written) != len(transform.components):
        return False
    pairs = zip(written, transform.components, strict=True)
    return all(
        _arrays(ours) == _arrays(theirs)
        and all(_is_close(getattr(ours, n), getattr(theirs, n)) for n in _arrays(ours))
        for ours, theirs in pairs
    )


def _arrays(component: Component) -> tuple[str, ...]:
    return next(n for kind, n in _ARRAYS.items() if isinstance(component, kind))


def _is_close(ours: np.ndarray, theirs: np.ndarray) -> bool:
    return ours.shape == theirs.shape and np.allclose(ours, theirs, 1e-6, 1e-9)


def _with_dense_part(
    components: list[Component], stop: int, grid: Grid
) -> list[Component]:
    """Puts one field in the place of all from the first deformation up to `stop`."""
    start = 0
    for component in components:
        if not isinstance(component, Affine):
            break
        grid, start = grid.mapped(component.matrix), start + 1
    field = Transform(tuple(components[start:stop])).displacement(grid)
    return [*components[:start], DenseField(field, grid.affine), *components[stop:]]
