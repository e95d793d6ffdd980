"""Whether a file of ITK transforms is whole, and what it says it holds.

ITK's own readers don't tell: from a truncated text they return the transforms before
the break, from a truncated Matlab file numbers that were in memory by chance, and about
a truncated HDF5 file they print pages; a transform with fewer parameters than its kind
has ends the process. So files are looked at before ITK reads them.
"""

import math
import re
from pathlib import Path

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.transforms.files.foreign import foreign_advice
from dlir_tf.transforms.files.itk_stored import Stored, in_hdf5, in_matlab, in_text

HDF5_SUFFIXES = (".h5", ".hdf5")
TEXT_SUFFIXES = (".tfm", ".txt")
MATLAB_SUFFIX = ".mat"

_KIND = re.compile(r"([A-Za-z0-9]+)_(?:double|float)_([23])_([23])(?:_\d)?")
_LARGEST_SIZE = 1_000_000
_COMPOSITE = "CompositeTransform"
_SPLINE, _FIELD = "BSplineTransform", "DisplacementFieldTransform"
# How many parameters, and at least how many fixed ones, by the rank.
_NUM_PARAMETERS = {
    2: {
        "AffineTransform": (6, 2),
        "CenteredAffineTransform": (8, 2),
        "CenteredRigid2DTransform": (5, 0),
        "CenteredSimilarity2DTransform": (6, 0),
        "Euler2DTransform": (3, 2),
        "IdentityTransform": (0, 0),
        "MatrixOffsetTransformBase": (6, 2),
        "Rigid2DTransform": (3, 2),
        "ScaleTransform": (2, 2),
        "Similarity2DTransform": (4, 2),
        "TranslationTransform": (2, 0),
    },
    3: {
        "AffineTransform": (12, 3),
        "CenteredAffineTransform": (15, 3),
        "CenteredEuler3DTransform": (9, 3),
        "Euler3DTransform": (6, 3),
        "FixedCenterOfRotationAffineTransform": (12, 3),
        "IdentityTransform": (0, 0),
        "MatrixOffsetTransformBase": (12, 3),
        "QuaternionRigidTransform": (7, 3),
        "ScaleLogarithmicTransform": (3, 3),
        "ScaleSkewVersor3DTransform": (15, 3),
        "ScaleTransform": (3, 3),
        "ScaleVersor3DTransform": (9, 3),
        "Similarity3DTransform": (7, 3),
        "TranslationTransform": (3, 0),
        "VersorRigid3DTransform": (6, 3),
        "VersorTransform": (3, 3),
    },
}


def stored_types(path: Path) -> list[str]:
    """ITK's names for the transforms in a file, in its order, the composite first.

    Args:
        path: A file with one of the suffixes above.

    Raises:
        InputError: If the file is incomplete or not ITK's, holds no transform, or
            several that aren't a composite; or if a transform is of an unknown kind,
            or its kind has another number of parameters.
    """
    read = in_text
    if path.suffix in HDF5_SUFFIXES:
        read = in_hdf5
    elif path.suffix == MATLAB_SUFFIX:
        read = in_matlab
    try:
        stored = read(path)
        if not stored:
            raise ValueError("expected a transform")
    except Exception as error:  # damaged files let their readers raise nearly anything
        said = " ".join(str(error).split(";")[0].split()) or type(error).__name__
        advice = foreign_advice(path) or (
            "it's damaged, incomplete or of another format, so copy or write it again"
        )
        raise InputError(
            f"{path}: can't be read as an ITK transform file ({said}); {advice}"
        ) from error
    composite = stored[0].kind.startswith("Composite")
    if composite != (len(stored) > 1):
        held = "an empty composite" if composite else f"{len(stored)} separate ones"
        raise InputError(
            f"{path}: the file must hold one transform or a composite of several, but "
            f"holds {held}; write it again"
        )
    kinds = [part.kind for part in stored]
    if any(kind.startswith("Composite") for kind in kinds[1:]):
        raise InputError(
            f"{path}: the file must hold one composite, but holds several, "
            f"{_listed(kinds)}; write it again"
        )
    _check_kinds(path, kinds)
    for part in stored[composite:]:
        _check_size(path, part)
    return kinds


def _check_kinds(path: Path, kinds: list[str]) -> None:
    ranks = set()
    for kind in kinds:
        match = _KIND.fullmatch(kind)
        name, rank = (match[1], int(match[2])) if match else ("", 0)
        ranks.add(rank)
        known = {_COMPOSITE, _SPLINE, _FIELD, *_NUM_PARAMETERS.get(rank, ())}
        if match is None or name not in known or match[2] != match[3]:
            raise InputError(
                f"{path}: SimpleITK can't read the transforms in it, "
                f"{_listed(kinds)} (unknown type); the file is damaged, or "
                "they have to be converted to a displacement field"
            )
    if len(ranks) > 1:
        raise InputError(
            f"{path}: the transforms of a file must be all 2-d or all 3-d, but there "
            f"are {_listed(kinds)}; write the file again"
        )


def _listed(kinds: list[str]) -> str:
    """The names of transforms, such as they are in a file, on one line."""
    text = ", ".join(kinds)[:200]
    return text if text.isprintable() else repr(text)


def _check_size(path: Path, part: Stored) -> None:
    """Whether a transform has the numbers that its kind needs."""
    match = _KIND.fullmatch(part.kind)
    name, ndim = (match[1], int(match[2])) if match else ("", 0)
    if name in (_SPLINE, _FIELD):
        needed_fixed = ndim * (3 + ndim)
        needed = _num_on_grid(path, part.fixed[:ndim]) * ndim
    else:
        needed, needed_fixed = _NUM_PARAMETERS[ndim][name]
    enough = needed_fixed <= part.fixed.size <= needed_fixed + 1
    if part.num_parameters != needed or not enough or not np.isfinite(part.fixed).all():
        raise InputError(
            f"{path}: {part.kind} must have {needed} parameters and {needed_fixed} "
            f"finite fixed ones, but the file holds {part.num_parameters} and "
            f"{part.fixed.size}; it's damaged, so copy or write it again"
        )


def _num_on_grid(path: Path, size: np.ndarray) -> int:
    """How many voxels a grid has, by its sizes, which ITK stores as real numbers."""
    whole = np.isfinite(size) & (size >= 1) & (size <= _LARGEST_SIZE)
    if not whole.all() or (size % 1).any():
        raise InputError(
            f"{path}: the sizes of a grid must be whole numbers from 1 to "
            f"{_LARGEST_SIZE:,}, but are {size.tolist()}; the file is damaged, so copy "
            "or write it again"
        )
    return math.prod(int(count) for count in size)
