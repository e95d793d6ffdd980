"""Transforms of other programs, and what to do with them."""

from pathlib import Path

_ELASTIX = (
    "it holds parameters of elastix, of a transform that can't be told; write their "
    "displacement field (transformix -def all -tp FILE) and give that"
)
_MATRIX = (
    "it holds a matrix of 4x4 numbers, and doesn't say whose; give one of FSL with its "
    "two images, [FILE,0,FIXED,MOVING] (or convert it: c3d_affine_tool FILE -ref FIXED "
    "-src MOVING -fsl2ras -oitk OUT.tfm), and one of NiftyReg as [FILE,0,niftyreg]"
)
_BY_ENDING = {
    ".m3z": "FreeSurfer's; convert it (mri_warp_convert --inm3z FILE --outitk OUT.nii)",
    ".xfm": "MINC's or FreeSurfer's; convert it to ITK's form (lta_convert --inmni "
    "FILE --outitk OUT.txt)",
    ".x5": "NiTransforms'; convert it to ITK's form (nitransforms)",
}


def foreign_advice(path: Path) -> str:
    """What to do with a transform of another program; empty for one of none known.

    Args:
        path: Any file; its name and its first bytes are looked at.
    """
    for ending, advice in _BY_ENDING.items():
        if path.name.lower().endswith(ending):
            return f"it's {advice}"
    with path.open("rb") as stream:
        start = stream.read(4096)
    if b"(Transform " in start or b"(TransformParameters " in start:
        return _ELASTIX
    return _MATRIX if _is_matrix(start) else ""


def _is_matrix(text: bytes) -> bool:
    try:
        numbers = [float(word) for word in text.split()]
    except ValueError:
        return False
    return len(numbers) == 16
