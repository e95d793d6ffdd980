"""Matrices of other programs: AFNI's, FreeSurfer's, FSL's, NiftyReg's.

| file | holds | needs |
| --- | --- | --- |
| `.aff12.1D` | AFNI: fixed to moving points, LPS+ mm, one row | |
| `.lta` | FreeSurfer: moving to fixed, RAS+ mm or voxels, with both geometries | |
| 4x4, FLIRT | moving to fixed, in mm from a corner of either image | both images |
| 4x4, NiftyReg | fixed to moving points, RAS+ mm | to be called so |

Nothing in a file of 4x4 numbers says whose it is.
"""

import warnings
from pathlib import Path

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.files.plain import check_plain
from dlir_tf.images import Grid
from dlir_tf.images.frame import flip_affine
from dlir_tf.transforms.affine import Affine
from dlir_tf.transforms.transform import Transform

AFNI, FREESURFER = ".aff12.1D", ".lta"
_MOST_BYTES = 1 << 20
_VOXELS, _WORLD = 0, 1  # what FreeSurfer calls them
Geometries = dict[str, dict[str, str]]
_GEOMETRY = ("volume", "voxelsize", "xras", "yras", "zras", "cras")


def read_afni(path: Path) -> Transform:
    """Reads the matrix that `3dAllineate -1Dmatrix_save` wrote.

    Between oblique images, it's of a world in which AFNI has laid their axes straight;
    the file doesn't say whether they are, so that is warned of.

    Raises:
        InputError: If the file doesn't hold one row of 12 numbers.
    """
    lines = [line for line in _text(path).splitlines() if not line.startswith("#")]
    rows = [line.split() for line in lines if line.strip()]
    if len(rows) > 1 and sum(map(len, rows)) > 12:
        raise InputError(
            f"{path}: must hold the matrix of one volume, but holds {len(rows)} rows; "
            "take the one that is meant into a file of its own (1d_tool.py)"
        )
    matrix = np.eye(4)
    matrix[:-1] = _numbers(path, [word for row in rows for word in row], (3, 4))
    warnings.warn(
        f"{path}: AFNI means its matrix for images with straight axes, which the file "
        "doesn't say; if one of the two is oblique, the matrix is another one (3dWarp "
        "-deoblique first)",
        stacklevel=2,
    )
    # AFNI's world is that of DICOM.
    return _affine(path, flip_affine(flip_affine(matrix).T).T)


def read_lta(path: Path) -> Transform:
    """Reads a linear transform of FreeSurfer, from its destination to its source.

    Raises:
        InputError: If the file is damaged, holds several, or isn't from world to world
            or from voxels to voxels of images that it describes.
    """
    words, matrix, geometries = _lta_parts(path)
    kind, count = words.get("type", ""), words.get("nxforms", "1")
    if count != "1":
        raise InputError(f"{path}: must hold one transform, but holds {count}")
    if kind not in (str(_VOXELS), str(_WORLD)):
        raise InputError(
            f"{path}: its type must be 0 (voxels to voxels) or 1 (RAS to RAS), but is "
            f"{kind or 'not stated'}; convert it (lta_convert --inlta FILE --outlta "
            "OUT.lta)"
        )
    if not all("valid" in geometries.get(name, {}) for name in ("src", "dst")):
        raise InputError(
            f"{path}: must describe its two images after the matrix (src and dst "
            "volume info), as FreeSurfer writes it; it's cut short, so copy or convert "
            "it again (lta_convert)"
        )
    if kind == str(_VOXELS):
        source, target = (_vox2ras(path, name, geometries) for name in ("src", "dst"))
        matrix = target @ matrix @ np.linalg.inv(source)
    return _affine(path, matrix).inverse()


def read_flirt(path: Path, fixed: Grid, moving: Grid) -> Transform:
    """Reads a matrix of FSL's FLIRT.

    Args:
        path: What `flirt -omat` wrote.
        fixed: The grid of its reference image, as that is stored.
        moving: Likewise, of its input image.

    Raises:
        InputError: If the file doesn't hold 4x4 numbers, or the images aren't 3-d.
    """
    if fixed.ndim != 3 or moving.ndim != 3:
        raise InputError(f"{path}: the two images of a matrix of FSL must be 3-d")
    matrix = _four_by_four(path)
    back = np.linalg.inv(_affine(path, matrix).affine_part)
    to_moving = moving.affine @ np.linalg.inv(to_fsl(moving))
    return _affine(path, to_moving @ back @ to_fsl(fixed) @ fixed.inverse)


def read_niftyreg(path: Path) -> Transform:
    """Reads what `reg_aladin -aff` wrote.

    Raises:
        InputError: If the file doesn't hold 4x4 numbers.
    """
    return _affine(path, _four_by_four(path))


def to_fsl(grid: Grid) -> np.ndarray:
    """The matrix from voxels to FSL's mm, which count from the corner on the left.

    Args:
        grid: Of an image, as it is stored; 3-d.
    """
    matrix = np.diag([*grid.spacing, 1.0])
    if np.linalg.det(grid.affine) > 0:
        flip = np.diag([-1.0, 1.0, 1.0, 1.0])
        flip[0, 3] = grid.shape[0] - 1
        matrix = matrix @ flip
    return matrix


def _lta_parts(path: Path) -> tuple[dict[str, str], np.ndarray, Geometries]:
    """What stands before the matrix, the matrix, and the two geometries."""
    words: dict[str, str] = {}
    geometries: Geometries = {}
    numbers: list[str] = []
    here = words
    for line in _text(path).splitlines():
        line = line.split("#")[0].strip()
        if line in ("src volume info", "dst volume info"):
            here = geometries.setdefault(line[:3], {})
        elif "=" in line:
            name, _, value = line.partition("=")
            here[name.strip()] = value.strip()
        elif here is words and len(line.split()) == 4:
            numbers += line.split()
    return words, _numbers(path, numbers, (4, 4)), geometries


def _vox2ras(path: Path, name: str, geometries: Geometries) -> np.ndarray:
    geometry = geometries.get(name, {})
    if geometry.get("valid", "0") != "1":
        raise InputError(
            f"{path}: goes from voxels to voxels, so it must describe both images, but "
            f"its {name} volume info isn't valid; convert it (lta_convert --inlta FILE "
            "--outlta OUT.lta --src MOVING --trg FIXED)"
        )
    size, spacing, *axes, centre = (
        _numbers(path, geometry.get(key, "").split(), (3,)) for key in _GEOMETRY
    )
    matrix = np.eye(4)
    matrix[:-1, :-1] = np.stack(axes, axis=-1) * spacing
    matrix[:-1, -1] = centre - matrix[:-1, :-1] @ (size / 2)
    return matrix


def _four_by_four(path: Path) -> np.ndarray:
    return _numbers(path, _text(path).split(), (4, 4))


def _text(path: Path) -> str:
    check_plain(path, "give the path of a transform's file")
    with path.open("rb") as stream:
        raw = stream.read(_MOST_BYTES + 1)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if not text or len(raw) > _MOST_BYTES:
        raise InputError(
            f"{path}: a matrix must be a short text, but this is none; it's damaged or "
            "of another format"
        )
    return text


def _numbers(path: Path, words: list[str], shape: tuple[int, ...]) -> np.ndarray:
    try:
        numbers = np.array(words, np.float64)
    except ValueError:
        numbers = np.array([np.nan])
    if numbers.size != np.prod(shape) or not np.isfinite(numbers).all():
        size = " x ".join(map(str, shape))
        raise InputError(
            f"{path}: must hold {size} finite numbers where there are {len(words)} "
            "words; it's damaged or of another format, so copy or write it again"
        )
    return numbers.reshape(shape)


def _affine(path: Path, matrix: np.ndarray) -> Transform:
    try:
        return Transform((Affine(matrix),))
    except ValueError as error:
        raise InputError(
            f"{path}: can't be used ({error}); write the file again with the program "
            "that made it"
        ) from error
