"""What the vectors of a displacement field mean, by what its file says of them.

| the file says | read as |
| --- | --- |
| nothing; NIfTI: intent 1007 or 0, no name | displacements, LPS+ mm, as ITK does |
| NIfTI: intent 1006 | displacements, RAS+ mm: ITK since 5.3.1, ANTsPy |
| NIfTI: 1006 or 1007, called `Mapping` | positions, RAS+ mm: SPM's `y_*.nii` |
| NIfTI: 1007, called `NREG_TRANS`, first parameter 0 | the same: NiftyReg's `-def` |
| likewise, 1 | displacements, RAS+ mm: NiftyReg's `-disp` |
| likewise, 2 | positions of a cubic spline's control points: NiftyReg's `-cpp` |
| NRRD: `displacement field type` `resampling` | displacements, LPS+ mm: Slicer |
| NRRD: `displacement field type` `modeling` | the same, but the field maps back |

What says anything else is refused, by its name: fields of FSL and velocities of
NiftyReg look the same, and would be silently wrong.
"""

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images.contents import Contents
from dlir_tf.images.headers.nrrd import NrrdHeader

_UNSET, _DISPLACEMENT, _VECTOR = 0, 1006, 1007
_SPM, _NIFTYREG = "Mapping", "NREG_TRANS"
_REFUSED_OF_NIFTYREG = {
    3: "velocities, as positions",
    4: "velocities, as displacements",
    5: "velocities, by a spline",
    6: "a linear spline",
}
_PLAIN_OF_NIFTYREG = "reg_transform -ref FIXED -def FILE OUT.nii"
_FSL = {
    2006: "a displacement field of FSL",
    2007: "cubic spline coefficients of FSL",
    2008: "cosine coefficients of FSL",
    2009: "quadratic spline coefficients of FSL",
}
_ITK_FORM = "displacements in LPS+ mm, intent 1007, no intent name"
_LPS = ("leftposteriorsuperior", "lps", "")
_VECTOR_KINDS = ("vector", "2-vector", "3-vector", "list", "domain", "none", "???", "")


@dataclass(frozen=True)
class FieldMeaning:
    """What the numbers at a voxel are.

    Attributes:
        lps: Whether they are LPS+ instead of RAS+.
        positions: Whether they say where the voxel goes instead of how far.
        maps_back: Whether the field takes points of the moving image to the fixed one.
        cubic: Whether they are of a cubic B-spline's control points.
    """

    lps: bool = True
    positions: bool = False
    maps_back: bool = False
    cubic: bool = False


def meaning_of(path: Path, contents: Contents) -> FieldMeaning:
    """The meaning that a file states for its vectors.

    Raises:
        InputError: If it states one that isn't known here.
    """
    if contents.header is not None:
        return _by_intent(path, contents.header)
    if contents.nrrd is not None:
        return _by_nrrd(path, contents.nrrd)
    return FieldMeaning()


def _by_intent(path: Path, header: nib.Nifti1Header) -> FieldMeaning:
    code = int(header["intent_code"])
    name = bytes(np.asarray(header["intent_name"]).tobytes()).rstrip(b"\0 ")
    called = name.decode("latin-1")
    if code not in (_UNSET, _DISPLACEMENT, _VECTOR):
        found = f"{code} ({_FSL[code]})" if code in _FSL else f"{code}"
        raise InputError(
            f"{path}: the intent of a displacement field must be vector (1007) or "
            f"displacement vector (1006), but is {found}; convert it to ITK's form "
            f"({_ITK_FORM}), as wb_command -convert-warpfield does for fields of FSL"
        )
    if code != _UNSET and called == _SPM:
        return FieldMeaning(lps=False, positions=True)
    if code == _VECTOR and called == _NIFTYREG:
        return _of_niftyreg(path, header)
    if called:
        raise InputError(
            f"{path}: the intent name of a displacement field must be empty, {_SPM} as "
            f"SPM has it or {_NIFTYREG} as NiftyReg, but is {called!r}, so nobody "
            f"knows what its vectors mean; convert it to ITK's form ({_ITK_FORM})"
        )
    return FieldMeaning(lps=code != _DISPLACEMENT)


def _of_niftyreg(path: Path, header: nib.Nifti1Header) -> FieldMeaning:
    """What NiftyReg says by the intent's first parameter."""
    kind = int(header["intent_p1"])
    # Matrices, which a point goes through besides.
    hidden = any(extension.get_code() == 0 for extension in header.extensions)
    if hidden or kind not in (0, 1, 2):
        found = "one with matrices" if hidden else _REFUSED_OF_NIFTYREG.get(kind)
        raise InputError(
            f"{path}: a transform of NiftyReg must be a deformation field (0), a "
            "displacement field (1) or a cubic spline (2) without matrices, but is "
            f"{found or 'of an unknown kind'} ({kind}); make a field of it "
            f"({_PLAIN_OF_NIFTYREG})"
        )
    return FieldMeaning(lps=False, positions=kind != 1, cubic=kind == 2)


def _by_nrrd(path: Path, header: NrrdHeader) -> FieldMeaning:
    space = header.fields.get("space", "")
    if space.replace("-", "").lower() not in _LPS:
        raise InputError(
            f"{path}: the space of a displacement field must be left-posterior-"
            f"superior, but is {space}, and nobody knows whether its vectors are so, "
            "too; write it again from 3D Slicer or SimpleITK"
        )
    frame = header.fields.get("measurementframe", "")
    numbers = frame.translate(str.maketrans("(),", "   ")).split()
    if numbers and not _is_identity(numbers):
        raise InputError(
            f"{path}: the vectors of a displacement field must be along the axes of "
            f"its space, but its measurement frame is {frame}; write it again without "
            "one"
        )
    kinds = header.fields.get("kinds", "").lower().split()
    strange = [k for k in kinds if k not in _VECTOR_KINDS and k != "space"]
    if strange:
        raise InputError(
            f"{path}: the kind of a displacement field must be vector, but is "
            f"{strange[0]}; write it again from 3D Slicer or SimpleITK"
        )
    sense = header.keys.get("displacement field type", "resampling")
    if sense not in ("resampling", "modeling"):
        raise InputError(
            f"{path}: the displacement field type must be resampling or modeling, as "
            f"3D Slicer has it, but is {sense!r}; write it again from 3D Slicer"
        )
    return FieldMeaning(maps_back=sense == "modeling")


def _is_identity(numbers: list[str]) -> bool:
    size = round(len(numbers) ** 0.5)
    try:
        matrix = np.array(numbers, np.float64).reshape(size, size)
    except ValueError:
        return False
    return bool(np.allclose(matrix, np.eye(size), rtol=0, atol=1e-6))
