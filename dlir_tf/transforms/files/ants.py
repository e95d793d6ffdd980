"""ANTs' pair of files: `PREFIX0GenericAffine.mat` and `PREFIX1Warp.nii.gz`.

`antsApplyTransforms -t PREFIX1Warp.nii.gz -t PREFIX0GenericAffine.mat` takes a point of
the fixed image through the warp first, and then through the affine, into the moving
image. That is our order, too: splines first, then affines. So the affine is exact, and
the warp is dense.

A transform without a warp is the affine file alone, as ANTs leaves it after a rigid or
an affine registration. The inverse of a pair is what ANTs applies as `-t
[PREFIX0GenericAffine.mat,1] -t PREFIX1InverseWarp.nii.gz`: back through the affine
first, then through the inverse warp.
"""

from pathlib import Path

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.files import known_as, replacing
from dlir_tf.files.plain import what_is_wrong
from dlir_tf.images import Grid, write_displacement
from dlir_tf.transforms.affine import Affine
from dlir_tf.transforms.component import Component
from dlir_tf.transforms.files.dense_form import (
    dense_form,
    largest_error,
    simplified,
    without_single_axes,
)
from dlir_tf.transforms.files.field import read_field
from dlir_tf.transforms.files.itk import read_itk, save_itk
from dlir_tf.transforms.transform import Transform

AFFINE, WARP = "0GenericAffine.mat", "1Warp.nii.gz"
INVERSE_WARP = "1InverseWarp.nii.gz"


def is_ants_name(path: Path) -> bool:
    """Whether a name ends like those that ANTs gives."""
    return path.name.endswith((AFFINE, WARP, INVERSE_WARP))


def read_ants(path: Path) -> Transform:
    """Reads a pair, by the name of either file.

    Args:
        path: `PREFIX0GenericAffine.mat` reads the pair, or the affine alone if no
            `PREFIX1Warp.nii.gz` is beside it; `PREFIX1Warp.nii.gz` reads the pair;
            `PREFIX1InverseWarp.nii.gz` reads the pair that takes points of the moving
            image to the fixed one.

    Raises:
        InputError: If a warp has no affine beside it, if the two don't fit together,
            or if one of them can't be read.
    """
    affine_path, warp_path = _partner(path, AFFINE), _partner(path, WARP)
    if path.name.endswith(INVERSE_WARP):
        warp_path = path
    elif path == affine_path and what_is_wrong(warp_path) == "doesn't exist":
        return read_itk(affine_path)
    if not affine_path.exists():
        raise InputError(
            f"{path}: ANTs' warp must have its affine beside it, but there is no file "
            f"{affine_path.name}; put it there, or rename the warp to read it alone"
        )
    affine, warp = read_itk(affine_path), read_field(warp_path)
    if affine.ndim != warp.ndim:
        raise InputError(
            f"{warp_path}: the warp must have the rank of the affine beside it, but is "
            f"{warp.ndim}-d and {affine_path.name} {affine.ndim}-d; put the two files "
            "of one registration beside each other"
        )
    if path.name.endswith(INVERSE_WARP):
        return warp.compose(affine.inverse())
    return affine.compose(warp)


def read_alone(path: Path) -> Transform:
    """Reads one file of a pair without the other, as antsApplyTransforms does.

    Raises:
        InputError: If it can't be read.
    """
    return read_itk(path) if path.name.endswith(AFFINE) else read_field(path)


def write_ants(path: Path, transform: Transform, reference: Grid | None) -> float:
    """Writes a pair, both files or neither.

    The affine components at the end go into the affine file, exactly; all before them
    into the warp. Without a reference, a transform of affine components only is
    written as the affine file alone.

    Args:
        path: The name of either file of the pair.
        transform: What to write. A single `DenseField` before the affine components
            keeps its own grid.
        reference: The grid of the warp.

    Returns:
        The largest error in mm, by `largest_error`; 0.0 without a warp.

    Raises:
        InputError: If a reference is needed and there is none, if its axes aren't
            perpendicular, if an affine alone would lie beside an older warp, or a
            pair beside an older inverse warp.
    """
    if path.name.endswith(INVERSE_WARP):
        raise InputError(
            "an inverse warp can't be written by itself; choose a name that ends with "
            f"{AFFINE} and write the inverse transform",
            place=path,
        )
    check_no_inverse(path)
    affine_path, warp_path = _partner(path, AFFINE), _partner(path, WARP)
    deformations, affine = _split(transform)
    if not deformations and reference is None:
        if known_as(warp_path).exists():
            raise InputError(
                "an affine alone must have no warp beside it, but there is "
                f"{warp_path.name}, which ANTs' users would take for its partner; "
                "remove it, choose another name or give a reference",
                place=affine_path,
            )
        save_itk(affine_path, affine, as_affine=True)
        return 0.0
    field = dense_form(warp_path, deformations, reference)
    written = affine.compose(Transform((field,)))
    error = largest_error(transform, written, field.grid)
    warp = without_single_axes(field)
    # The affine comes last: a warp without it isn't read, but it is without a warp.
    with replacing(affine_path) as unfinished:
        beside = unfinished.with_name(warp_path.name)
        write_displacement(beside, warp.displacement, warp.grid)
        save_itk(unfinished, affine, as_affine=True)
    return error


def check_no_inverse(path: Path) -> None:
    """Refuses a pair beside an inverse warp, which would be of another registration.

    Args:
        path: The name of either file, as it will be or as a draft.

    Raises:
        InputError: If there is one.
    """
    inverse = known_as(_partner(path, INVERSE_WARP))
    if inverse.exists() or inverse.is_symlink():
        raise InputError(
            f"must have no {inverse.name} beside it from before, which ANTs' users "
            "would take for its inverse; remove that, or choose another name",
            place=path,
        )


def _split(transform: Transform) -> tuple[list[Component], Transform]:
    """The components up to the last deformation, and the affine after it."""
    components = [simplified(component) for component in transform.components]
    matrix = np.eye(transform.ndim + 1)
    while components and isinstance(last := components[-1], Affine):
        matrix = matrix @ last.matrix
        components.pop()
    return components, Transform((Affine(matrix),))


def files_beside(path: Path) -> list[Path]:
    """The files of the same registration that are read with this one."""
    return [_partner(path, ending) for ending in (AFFINE, WARP)]


def _partner(path: Path, ending: str) -> Path:
    """The file of the same registration that has another ending."""
    prefix = path.name
    for known in (AFFINE, WARP, INVERSE_WARP):
        prefix = prefix.removesuffix(known)
    return path.with_name(prefix + ending)
