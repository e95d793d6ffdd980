"""The forms of other programs that are written, by the name of a file or by their own.

| form | a file's name ends with | needs |
| --- | --- | --- |
| `lta` | `.lta`, always FreeSurfer's | both images |
| `afni` | `.aff12.1D`, always AFNI's | |
| `elastix` | `.txt`; always `TransformParameters.*.txt` | the fixed one |
| `flirt` | `.mat` or `.txt` | both images |
| `niftyreg` | `.txt`: a matrix | |
| `niftyreg` | `.nii` or `.nii.gz`: a deformation field | the fixed one |
| `niftyreg-disp` | `.nii` or `.nii.gz`: a displacement field | the fixed one |
| `spm` | `.nii` | the fixed one |

Nothing in the name of a text or of an image says whose the others are, so they are
asked for by the form's name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from dlir_tf.errors import InputError
from dlir_tf.images import Grid
from dlir_tf.images.formats import NIFTI_SUFFIXES
from dlir_tf.transforms.files.elastix_writing import write_elastix
from dlir_tf.transforms.files.matrices import AFNI, FREESURFER
from dlir_tf.transforms.files.matrix_writing import (
    check_between,
    write_afni,
    write_flirt,
    write_lta,
)
from dlir_tf.transforms.files.niftyreg import (
    check_niftyreg,
    write_niftyreg,
    write_niftyreg_displacement,
)
from dlir_tf.transforms.files.spm import check_spm, write_spm
from dlir_tf.transforms.transform import Transform

Writer = Callable[[Path, Transform, Grid | None, Grid | None], float]


@dataclass(frozen=True)
class Form:
    """How a program of others wants a transform.

    Attributes:
        suffixes: What the name of its file ends with, one of them.
        write: Writes to a path a transform, given the grids of the fixed and of the
            moving image as far as they are known; returns its error in mm.
        matrices: Of the suffixes, those of files that hold a 3-d matrix alone.
        check: Refuses a path for a transform between the grids of two images, as far
            as these tell; raises `InputError`.
        between: Whether a file is about both images.
        inverts: Whether a file can hold the inverse of what deforms.
    """

    suffixes: tuple[str, ...]
    write: Writer
    matrices: tuple[str, ...] = ()
    check: Callable[[Path, Grid, Grid], None] = lambda path, fixed, moving: None
    between: bool = False
    inverts: bool = True

    def holds_matrix(self, path: Path) -> bool:
        """Whether a file of this name holds a 3-d matrix and nothing else."""
        return path.name.endswith(self.matrices)


def _matrix(
    program: str, suffixes: tuple[str, ...], write: Writer, *, straight: bool = False
) -> Form:
    """The form of a matrix between two images."""
    check = partial(check_between, program=program, straight=straight)
    return Form(suffixes, write, suffixes, check, between=True)


FORMS = {
    "afni": _matrix("AFNI", (AFNI,), write_afni, straight=True),
    "elastix": Form((".txt",), write_elastix, inverts=False),
    "flirt": _matrix("FSL", (".mat", ".txt"), write_flirt),
    "lta": _matrix("FreeSurfer", (FREESURFER,), write_lta),
    "niftyreg": Form(
        (".txt", *NIFTI_SUFFIXES), write_niftyreg, (".txt",), check_niftyreg
    ),
    "niftyreg-disp": Form(
        NIFTI_SUFFIXES, write_niftyreg_displacement, check=check_niftyreg
    ),
    "spm": Form((".nii",), write_spm, check=check_spm),
}


def form_of(path: Path, form: str | None) -> Form | None:
    """The form of another program that a file is to have; `None` for our own and ITK's.

    Args:
        path: The file.
        form: One of `FORMS`, or `None` for what the file's name says.

    Raises:
        InputError: If there is no such form, or the file's name ends otherwise.
    """
    if form is None:
        if path.name.startswith("TransformParameters.") and path.suffix == ".txt":
            return FORMS["elastix"]
        alone = (FORMS["lta"], FORMS["afni"])
        return next((f for f in alone if path.name.endswith(f.suffixes)), None)
    known = FORMS.get(form)
    if known is None:
        raise InputError(
            f"the form must be one of {', '.join(FORMS)}, but is {form}", place=path
        )
    if not path.name.endswith(known.suffixes):
        raise InputError(
            f"a file of the form {form} must end with {' or '.join(known.suffixes)}",
            place=path,
        )
    return known
