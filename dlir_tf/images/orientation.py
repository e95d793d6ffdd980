"""Which place counts if a NIfTI file's sform and its qform don't agree.

A NIfTI file may state twice where it lies: by a matrix (sform) and by a rotation
(qform), each with a code for whose coordinates they are: 1 the scanner's, 2 another
image's, 3 and 4 an atlas'. Where both are set and put a corner of the image more than
a tenth of a voxel apart, `orientation_source="auto"` takes the sform if its code is 1,
and else the qform. So do ITK since version 5.2, ANTs and Slicer, but for sheared axes,
which only an sform can state and which they can't read. nibabel takes every sform. An
`OrientationWarning` names both places; `"sform"` and `"qform"` force one, silently.

An sform that can't be inverted, since programs set its code and left its numbers at 0,
counts as unset where there is a qform, which is warned of, too.

That the two, or the sform and pixdim, state different voxel sizes is another question:
see `dlir_tf.images.frame`.
"""

import contextlib
import dataclasses
import warnings
from pathlib import Path
from typing import Literal

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from dlir_tf.errors import InputError
from dlir_tf.images.contents import Contents
from dlir_tf.images.frame import in_mm, mm_per_unit
from dlir_tf.images.grid import (
    apply_affine,
    column_norms,
    corner_voxels,
    is_invertible,
    is_sheared,
)

OrientationSource = Literal["auto", "sform", "qform"]

_SCANNER = 1
_LARGEST_DISTANCE = 0.1  # voxels; what quaternions round is a hundredth of that


class OrientationWarning(UserWarning):
    """A file's sform and its qform put the image in different places."""


def orient(path: Path, contents: Contents, source: OrientationSource) -> Contents:
    """Chooses the place of a file by the rule of this module.

    Args:
        path: The file, for messages.
        contents: What it holds; only NIfTI files have a choice.
        source: What to take.

    Returns:
        The contents with the matrix, and in the header the place and the code, that
        count.

    Raises:
        InputError: If the source that is to be taken isn't set.
    """
    if source not in ("auto", "sform", "qform"):
        raise InputError(
            f"orientation_source: must be auto, sform or qform. Received: {source!r}"
        )
    if contents.header is None:
        return contents
    header, forms = contents.header.copy(), forms_of(contents.header)
    if source == "auto" and _is_empty(forms):
        warnings.warn(
            f"{path}: the sform is set, but can't be inverted; took the qform, as ITK, "
            "ANTs and Slicer do",
            OrientationWarning,
            stacklevel=4,
        )
        source = "qform"
    if source == "auto":
        if not _differ(header, forms):
            return contents
        source = "sform" if header["sform_code"] == _SCANNER else "qform"
        _warn(path, header, forms, source)
    if source not in forms or not is_invertible(forms[source]):
        raise InputError(
            f"{path}: the {source} can't be taken, as the header has none that is "
            "valid; take the other one"
        )
    matrix, code = forms[source], int(header[f"{source}_code"])
    header.set_sform(matrix, code)
    header.set_qform(matrix, code, strip_shears=True)
    return dataclasses.replace(contents, matrix=in_mm(matrix, header), header=header)


def forms_of(header: nib.Nifti1Header) -> dict[str, np.ndarray]:
    """The matrices, `(4, 4)`, that are set, in the header's unit of length."""
    forms = {"sform": header.get_sform(coded=True)[0]}
    with contextlib.suppress(ValueError, HeaderDataError):  # no rotation, no size
        forms["qform"] = header.get_qform(coded=True)[0]
    return {name: matrix for name, matrix in forms.items() if matrix is not None}


def corners_apart(
    header: nib.Nifti1Header, first: np.ndarray, second: np.ndarray
) -> float:
    """How far the corners of an image lie apart at most by two matrices."""
    shape = (*header.get_data_shape(), 1, 1)[:3]
    corners = corner_voxels(shape)
    apart = apply_affine(first, corners) - apply_affine(second, corners)
    return float(np.linalg.norm(apart, axis=1).max())


def _is_empty(forms: dict[str, np.ndarray]) -> bool:
    """Whether the sform alone is no place, of zeros say."""
    if len(forms) < 2:
        return False
    return is_invertible(forms["qform"]) and not is_invertible(forms["sform"])


def _differ(header: nib.Nifti1Header, forms: dict[str, np.ndarray]) -> bool:
    """Whether two places are stated, apart from the size of their voxels."""
    if len(forms) < 2 or not all(is_invertible(matrix) for matrix in forms.values()):
        return False
    sform, qform = forms["sform"], forms["qform"]
    sizes = column_norms(qform)
    alike = sform * np.append(sizes / column_norms(sform), 1.0)
    return corners_apart(header, alike, qform) > _LARGEST_DISTANCE * sizes.min()


def _warn(
    path: Path, header: nib.Nifti1Header, forms: dict[str, np.ndarray], taken: str
) -> None:
    apart = corners_apart(header, forms["sform"], forms["qform"]) * mm_per_unit(header)
    places = []
    for name, matrix in forms.items():
        first = ", ".join(f"{x:.4g}" for x in in_mm(matrix, header)[:3, 3])
        axes = "".join(nib.aff2axcodes(matrix))
        code = int(header[f"{name}_code"])
        places.append(f"at ({first}) mm, axes {axes}, by the {name} (code {code})")
    like = "as ITK, ANTs and Slicer do"
    if taken == "sform" and is_sheared(forms["sform"]):
        like = "though ITK, ANTs and Slicer can't read its sheared axes"
    warnings.warn(
        f"{path}: sform and qform disagree by up to {apart:.3g} mm: the first voxel is "
        f"{' and '.join(places)}; took the {taken}, {like} (--orientation-source, or "
        "orientation_source in Python, forces either)",
        OrientationWarning,
        stacklevel=5,
    )
