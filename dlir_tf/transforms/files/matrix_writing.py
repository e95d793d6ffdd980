"""Writing the matrices of other programs: AFNI's, FreeSurfer's, FSL's, NiftyReg's.

They hold a matrix and nothing else, between 3-d images. What each of them means is said
in `matrices`, which reads them.
"""

from pathlib import Path

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.files import replacing
from dlir_tf.images import Grid
from dlir_tf.images.frame import flip_affine
from dlir_tf.transforms.files.dense_form import simplified
from dlir_tf.transforms.files.matrices import to_fsl
from dlir_tf.transforms.transform import Transform

# As far as an axis may lean, for AFNI, which calls 0.01 degrees oblique.
_STRAIGHT = 1.7e-4


def write_afni(
    path: Path, transform: Transform, fixed: Grid | None, moving: Grid | None
) -> float:
    """Writes what `3dAllineate -1Dmatrix_apply` takes, for images that aren't oblique.

    Args:
        path: The file.
        transform: Of affine components alone, 3-d.
        fixed: The grid of AFNI's base image, if it's known.
        moving: Likewise, of its source.

    Returns:
        0.0: it's exact.

    Raises:
        InputError: If the transform deforms or is 2-d, or an image is oblique.
    """
    matrix = flip_affine(flip_affine(_matrix(path, transform, "AFNI")).T).T
    _check_straight(path, fixed, moving)
    row = _row(matrix[:-1].ravel())
    return _write(
        path, f"# 3dAllineate matrices (DICOM-to-DICOM, row-by-row):\n{row}\n"
    )


def check_between(
    path: Path, fixed: Grid, moving: Grid, *, program: str, straight: bool
) -> None:
    """Refuses images that a matrix of another program's can't be between.

    Args:
        path: The file.
        fixed: The grid of the image from which its transform maps.
        moving: Likewise, to which.
        program: Whose file it is.
        straight: Whether it's of images with straight axes, as AFNI's.

    Raises:
        InputError: If an image is 2-d or, for AFNI, oblique.
    """
    if (fixed.ndim, moving.ndim) != (3, 3):
        raise _no_matrix(path, program, "would be 2-d")
    if straight:
        _check_straight(path, fixed, moving)


def _check_straight(path: Path, fixed: Grid | None, moving: Grid | None) -> None:
    for name, grid in (("fixed", fixed), ("moving", moving)):
        if grid is not None and _is_oblique(grid):
            raise InputError(
                "AFNI means its matrix for images with straight axes, but those of the "
                f"{name} image are oblique; straighten it first (3dWarp -deoblique)",
                place=path,
            )


def write_lta(
    path: Path, transform: Transform, fixed: Grid | None, moving: Grid | None
) -> float:
    """Writes FreeSurfer's form, RAS to RAS, from the moving image to the fixed one.

    Args:
        path: The file.
        transform: Of affine components alone, 3-d.
        fixed: The grid of FreeSurfer's destination (`--dst`, `--targ`).
        moving: Likewise, of its source (`--src`, `--mov`).

    Returns:
        0.0: it's exact.

    Raises:
        InputError: If the transform deforms or is 2-d, or an image isn't given.
    """
    matrix = np.linalg.inv(_matrix(path, transform, "FreeSurfer"))
    target, source = _both(path, "FreeSurfer", fixed, moving)
    lines = [
        *("# LTA file written by dlir-tf", "type      = 1 # LINEAR_RAS_TO_RAS"),
        *("nxforms   = 1", "mean      = 0.0 0.0 0.0", "sigma     = 10000.0", "1 4 4"),
        *map(_row, matrix),
        *_geometry("src", source),
        *_geometry("dst", target),
    ]
    return _write(path, "\n".join(lines) + "\n")


def write_flirt(
    path: Path, transform: Transform, fixed: Grid | None, moving: Grid | None
) -> float:
    """Writes what `flirt -applyxfm -init` takes, between these two images.

    Args:
        path: The file.
        transform: Of affine components alone, 3-d.
        fixed: The grid of FLIRT's reference image, as that is stored.
        moving: Likewise, of its input image.

    Returns:
        0.0: it's exact.

    Raises:
        InputError: If the transform deforms or is 2-d, or an image isn't given.
    """
    matrix = _matrix(path, transform, "FSL")
    fixed, moving = _both(path, "FSL", fixed, moving)
    from_moving = to_fsl(moving) @ moving.inverse
    back = from_moving @ matrix @ fixed.affine @ np.linalg.inv(to_fsl(fixed))
    return _write(path, "\n".join(map(_row, np.linalg.inv(back))) + "\n")


def write_niftyreg_matrix(path: Path, transform: Transform) -> float:
    """Writes what `reg_resample -trans` takes for a matrix.

    Args:
        path: The file.
        transform: Of affine components alone, 3-d.

    Returns:
        0.0: it's exact.

    Raises:
        InputError: If the transform deforms or is 2-d.
    """
    matrix = _matrix(path, transform, "NiftyReg")
    return _write(path, "\n".join(map(_row, matrix)) + "\n")


def _matrix(path: Path, transform: Transform, program: str) -> np.ndarray:
    """The whole transform as a matrix, RAS+ mm, or the reason why it can't be one."""
    exact = Transform(tuple(map(simplified, transform.components)))
    if exact.ndim != 3 or not exact.is_affine:
        raise _no_matrix(path, program, "deforms, too" if exact.ndim == 3 else "is 2-d")
    return exact.affine_part


def _no_matrix(path: Path, program: str, found: str) -> InputError:
    return InputError(
        f"such a file of {program} holds a matrix of 3-d space alone, but the "
        f"transform {found}; write another form, such as a displacement field",
        place=path,
    )


def _both(
    path: Path, program: str, fixed: Grid | None, moving: Grid | None
) -> tuple[Grid, Grid]:
    if fixed is None or moving is None:
        missing = "moving" if fixed is not None else "fixed"
        raise InputError(
            f"such a file of {program} is between two images, but the {missing} one "
            "isn't given; give the fixed image as the reference, and the moving one",
            place=path,
        )
    return fixed, moving


def _is_oblique(grid: Grid) -> bool:
    """Whether an axis doesn't run along one of the world's."""
    return bool((np.sort(np.abs(grid.directions), axis=0)[:-1] > _STRAIGHT).any())


def _geometry(name: str, grid: Grid) -> list[str]:
    """How FreeSurfer describes an image: by the place of voxel `shape / 2`."""
    middle = grid.to_world(np.array(grid.shape) / 2)
    axes = zip(("xras", "yras", "zras"), grid.directions.T, strict=True)
    return [
        *(f"{name} volume info", "valid = 1  # volume info valid", "filename = none"),
        "volume = " + " ".join(map(str, grid.shape)),
        "voxelsize = " + _row(grid.spacing),
        *(f"{key}   = {_row(axis)}" for key, axis in axes),
        f"cras   = {_row(middle)}",
    ]


def _row(numbers: np.ndarray | tuple[float, ...]) -> str:
    """Numbers that give themselves back when they're read."""
    return " ".join(repr(float(number)) for number in numbers)


def _write(path: Path, text: str) -> float:
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    return 0.0
