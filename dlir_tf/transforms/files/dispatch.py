"""Reading and writing transforms, in the format that the name of the file asks for.

| name ends with | format | what it holds |
| --- | --- | --- |
| `.npz` | our own | everything, exactly |
| `.h5`, `.hdf5`, `.tfm`, `.txt` | ITK | everything but inverted deformations, exactly |
| `0GenericAffine.mat`, `1Warp.nii.gz` | ANTs' pair | affine exactly, the rest densely |
| `.nii.gz`, `.nii`, `.mha`, `.nrrd` | field | all as one dense displacement field |

Files of elastix (`TransformParameters.*.txt`), FreeSurfer (`.lta`) and AFNI
(`.aff12.1D`) are known by their names, too. What else is written for other programs is
in `forms`.
"""

import os
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.files.plain import check_plain
from dlir_tf.images import Grid, Image, grid_of
from dlir_tf.images.formats import NIFTI_SUFFIXES
from dlir_tf.transforms.files.ants import (
    AFFINE,
    WARP,
    is_ants_name,
    read_ants,
    write_ants,
)
from dlir_tf.transforms.files.elastix import is_elastix, read_elastix
from dlir_tf.transforms.files.field import read_field, write_field
from dlir_tf.transforms.files.foreign import foreign_advice
from dlir_tf.transforms.files.forms import form_of
from dlir_tf.transforms.files.itk import read_itk, write_itk
from dlir_tf.transforms.files.itk_integrity import (
    HDF5_SUFFIXES,
    MATLAB_SUFFIX,
    TEXT_SUFFIXES,
)
from dlir_tf.transforms.files.matrices import (
    AFNI,
    FREESURFER,
    read_afni,
    read_lta,
)
from dlir_tf.transforms.files.own import read_own, write_own
from dlir_tf.transforms.transform import Transform

OWN_SUFFIX = ".npz"
ITK_SUFFIXES = HDF5_SUFFIXES + TEXT_SUFFIXES
FIELD_SUFFIXES = (*NIFTI_SUFFIXES, ".mha", ".nrrd")
TRANSFORM_SUFFIXES = (OWN_SUFFIX, *ITK_SUFFIXES, AFFINE, WARP, *FIELD_SUFFIXES)
# Of other programs', whatever form is asked for.
FOREIGN_SUFFIXES = (FREESURFER, AFNI)
READABLE_SUFFIXES = (*TRANSFORM_SUFFIXES, MATLAB_SUFFIX, *FOREIGN_SUFFIXES)


def read_transform(path: str | os.PathLike[str]) -> Transform:
    """Reads a transform that pulls back, from points of the fixed image.

    Args:
        path: A file whose name ends with one of `TRANSFORM_SUFFIXES`, any ITK
            transform in a `.mat` file, or a file of another program that states what
            it means (see above). Of ANTs' pair either name will do.

    Returns:
        The transform, in RAS+ mm, whatever world the file is in.

    Raises:
        InputError: If there is no such file, its name ends otherwise, or it can't be
            read completely.
    """
    path = Path(path)
    check_plain(path, "give the path of a transform's file")
    name = path.name
    if is_ants_name(path):
        return read_ants(path)
    if name.endswith(OWN_SUFFIX):
        return read_own(path)
    if name.endswith(TEXT_SUFFIXES) and is_elastix(path):
        return read_elastix(path)
    if name.endswith((*ITK_SUFFIXES, MATLAB_SUFFIX)):
        return read_itk(path)
    if name.endswith(FREESURFER):
        return read_lta(path)
    if name.endswith(AFNI):
        return read_afni(path)
    if name.endswith(FIELD_SUFFIXES):
        return read_field(path)
    advice = foreign_advice(path)
    raise InputError(
        f"{path}: {f'{advice}; ' * bool(advice)}the name of a transform's file must "
        f"end with {_listed(READABLE_SUFFIXES)}"
    )


def write_transform(
    path: str | os.PathLike[str],
    transform: Transform,
    *,
    reference: Grid | Image | None = None,
    moving: Grid | Image | None = None,
    form: str | None = None,
) -> float:
    """Writes a transform, and says how exactly.

    Args:
        path: A file whose name ends with one of `TRANSFORM_SUFFIXES`, or as a `form`
            of another program wants it; an existing one is replaced, once the new one
            is complete.
        transform: What to write.
        reference: The grid for what can only be written as a dense displacement
            field, or an image that has it, most often the fixed one; and of the fixed
            image where the form is about two images.
        moving: The moving image, or its grid, for such forms.
        form: Whose form it is, where the name doesn't say so: `"afni"`, `"elastix"`,
            `"flirt"`, `"lta"`, `"niftyreg"`, `"niftyreg-disp"` or `"spm"`.

    Returns:
        The largest error in mm that what was written makes against `transform`: 0.0
        where it is exact; else measured at 20 000 points between the voxels of the
        dense field's grid. Beyond the grid a dense field is zero.

    Raises:
        InputError: If the name ends otherwise, an image is needed and there is none,
            it has another rank, the form can't hold the transform, or the folder or
            the disk don't allow it.
    """
    path = Path(path)
    grid = _fitting(path, "reference", reference, transform)
    source = _fitting(path, "moving image", moving, transform)
    foreign = form_of(path, form)
    if foreign is not None:
        return foreign.write(path, transform, grid, source)
    if is_ants_name(path):
        return write_ants(path, transform, grid)
    if path.name.endswith(OWN_SUFFIX):
        return write_own(path, transform)
    if path.name.endswith(ITK_SUFFIXES):
        return write_itk(path, transform, grid)
    if path.name.endswith(FIELD_SUFFIXES):
        return write_field(path, transform, grid)
    raise InputError(
        "the name of a transform's file to write must end with "
        f"{_listed(TRANSFORM_SUFFIXES)}",
        place=path,
    )


def _fitting(
    path: Path, name: str, image: Grid | Image | None, transform: Transform
) -> Grid | None:
    """The grid of what was given, of the transform's rank."""
    grid = None if image is None else grid_of(image)
    if grid is not None and grid.ndim != transform.ndim:
        raise InputError(
            f"the {name} must be {transform.ndim}-d like the transform, but its "
            f"shape is {grid.shape}; give an image of the same rank",
            place=path,
        )
    return grid


def _listed(suffixes: tuple[str, ...]) -> str:
    return ", ".join(suffixes[:-1]) + " or " + suffixes[-1]
