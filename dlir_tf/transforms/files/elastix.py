"""elastix' `TransformParameters.*.txt`, and those that they name as their beginning.

elastix maps points of the fixed image to the moving one, in ITK's world: linear
transforms with a centre of rotation, and cubic B-splines. A point goes through the
initial transform first, and then through what the file itself holds (`Compose`).
"""

import re
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.files.plain import check_plain
from dlir_tf.transforms.component import Component
from dlir_tf.transforms.files.itk_conversion import from_itk
from dlir_tf.transforms.transform import Transform

if TYPE_CHECKING:
    import SimpleITK as sitk

_LINE = re.compile(r"\(\s*(\w+)((?:\s+(?:\"[^\"]*\"|[^\s\"()]+))*)\s*\)\s*(?://.*)?")
_VALUE = re.compile(r"\"([^\"]*)\"|(\S+)")
_NO_INITIAL = "NoInitialTransform"
_SPLINES = ("BSplineTransform", "RecursiveBSplineTransform")
_LINEAR = (
    *("TranslationTransform", "EulerTransform", "SimilarityTransform"),
    "AffineTransform",
)
_MOST_FILES = 100

Values = dict[str, list[str]]


def is_elastix(path: Path) -> bool:
    """Whether a text file has a line that says which transform of elastix it holds."""
    with path.open("rb") as stream:
        start = stream.read(1 << 16)
    return re.search(rb"(?m)^\s*\(Transform\s+\"", start) is not None


def read_elastix(path: Path) -> Transform:
    """Reads a file, and those that it goes on from, which lie beside it.

    Args:
        path: Of the last one, `TransformParameters.1.txt` say.

    Raises:
        InputError: If a file is damaged or isn't there, if they go round in a circle,
            or a transform is of another kind.
    """
    components: list[Component] = []
    seen: list[Path] = []
    following: Path | None = path
    while following is not None:
        if following.resolve() in seen or len(seen) >= _MOST_FILES:
            raise InputError(
                f"{path}: its initial transforms must come to an end, but lead back to "
                f"{following.name}; copy the files again"
            )
        seen.append(following.resolve())
        values = _values(following)
        components = [*_components(following, values), *components]
        following = _initial(following, values)
    ranks = {component.ndim for component in components}
    if len(ranks) > 1:
        raise InputError(
            f"{path}: its initial transforms must be of its rank, but they are 2-d and "
            "3-d; copy the files of one registration again"
        )
    return Transform(tuple(components))


def _values(path: Path) -> Values:
    check_plain(path, "give the path of a transform's file")
    raw = path.read_bytes()
    if b"\0" in raw:
        raise _damaged(path, "it isn't text")
    values: Values = {}
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:  # folders with umlauts, from Windows
        text = raw.decode("latin-1")
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("//"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise _damaged(path, f"line {number} isn't of the form (Name values)")
        values[match[1]] = [
            quoted or plain for quoted, plain in _VALUE.findall(match[2])
        ]
    return values


def _initial(path: Path, values: Values) -> Path | None:
    """The file that this one goes on from: beside it, wherever it once was."""
    name = _word(
        values,
        "InitialTransformParametersFileName",
        _word(values, "InitialTransformParameterFileName", _NO_INITIAL),
    )
    if name == _NO_INITIAL:
        return None
    how = _word(values, "HowToCombineTransforms", "Compose")
    if how != "Compose":
        raise InputError(
            f"{path}: HowToCombineTransforms must be Compose, but is {how}; write "
            "their displacement field (transformix -def all -tp FILE) and give that"
        )
    beside = path.with_name(Path(name.replace("\\", "/")).name)
    if not beside.exists():
        raise InputError(
            f"{path}: goes on from {name}, which must lie beside it, but there is no "
            f"{beside.name}; put it there"
        )
    return beside


def _components(path: Path, values: Values) -> list[Component]:
    kind = _word(values, "Transform", "")
    if kind not in (*_SPLINES, *_LINEAR):
        raise InputError(
            f"{path}: transforms of elastix must be {', '.join(_LINEAR)} or "
            f"{_SPLINES[0]}, but this one is {kind or 'not named'}; write its "
            "displacement field (transformix -def all -tp FILE) and give that"
        )
    if _word(values, "UseBinaryFormatForTransformationParameters", "false") == "true":
        raise InputError(
            f"{path}: its parameters are in a binary file, which isn't read; set "
            "UseBinaryFormatForTransformationParameters to false and run elastix again"
        )
    ndim = int(_numbers(path, values, "FixedImageDimension", 1)[0])
    moving = int(_numbers(path, values, "MovingImageDimension", 1)[0])
    if ndim not in (2, 3) or ndim != moving:
        raise InputError(
            f"{path}: transforms must be between 2-d or between 3-d images, but this "
            f"one is from {ndim}-d to {moving}-d; write it for single volumes"
        )
    _check_directions(path, values, ndim)
    try:
        build = _spline if kind in _SPLINES else _linear
        return from_itk(path, build(path, values, ndim, kind))
    except RuntimeError as error:  # of ITK
        raise _damaged(path, "its numbers make no transform") from error


def _check_directions(path: Path, values: Values, ndim: int) -> None:
    """Refuses what elastix found as if the images lay straight in the world."""
    if _word(values, "UseDirectionCosines", "true") != "false":
        return
    turned = "Direction" in values and not np.allclose(
        _numbers(path, values, "Direction", ndim * ndim),
        np.eye(ndim).ravel(),
        rtol=0,
        atol=1e-5,
    )
    if turned:
        raise InputError(
            f"{path}: elastix left out how its images are turned in the world "
            "(UseDirectionCosines is false), and the fixed one is turned; set it to "
            "true and run elastix again"
        )
    warnings.warn(
        f"{path}: elastix left out how its images are turned in the world "
        "(UseDirectionCosines is false); if the moving one is turned, the transform is "
        "another one",
        stacklevel=2,
    )


def _linear(path: Path, values: Values, ndim: int, kind: str) -> "sitk.Transform":
    import SimpleITK as sitk

    made: dict[str, tuple[Any, Any]] = {
        "TranslationTransform": (sitk.TranslationTransform(ndim),) * 2,
        "EulerTransform": (sitk.Euler2DTransform(), sitk.Euler3DTransform()),
        "SimilarityTransform": (
            sitk.Similarity2DTransform(),
            sitk.Similarity3DTransform(),
        ),
        "AffineTransform": (sitk.AffineTransform(ndim),) * 2,
    }
    transform = made[kind][ndim - 2]
    count = len(transform.GetParameters())
    numbers = _numbers(path, values, "TransformParameters", count)
    if kind != "TranslationTransform":
        if "CenterOfRotationPoint" not in values:
            raise _damaged(path, "CenterOfRotationPoint is missing")
        centre = _numbers(path, values, "CenterOfRotationPoint", ndim)
        transform.SetCenter(centre.tolist())
    if kind == "EulerTransform" and ndim == 3:
        transform.SetComputeZYX(_word(values, "ComputeZYX", "false") == "true")
    transform.SetParameters(numbers.tolist())
    return transform


def _spline(path: Path, values: Values, ndim: int, kind: str) -> "sitk.Transform":
    import SimpleITK as sitk

    order = _word(values, "BSplineTransformSplineOrder", "3")
    cyclic = _word(values, "UseCyclicTransform", "false")
    if order != "3" or cyclic != "false":
        raise InputError(
            f"{path}: B-splines of elastix must be of order 3 and not cyclic, but this "
            f"one is of order {order}, cyclic: {cyclic}; write its displacement field "
            "(transformix -def all -tp FILE) and give that"
        )
    size = _numbers(path, values, "GridSize", ndim)
    if (
        np.any(size < 4)
        or np.any(size % 1)
        or size.prod() > len(values.get("TransformParameters", []))
    ):
        raise _damaged(path, f"GridSize is {size.tolist()}")
    if _numbers(path, values, "GridIndex", ndim).any():
        raise _damaged(path, "GridIndex isn't 0")
    origin = _numbers(path, values, "GridOrigin", ndim)
    spacing = _numbers(path, values, "GridSpacing", ndim)
    # Column by column, unlike the direction in a file of ITK.
    direction = _numbers(path, values, "GridDirection", ndim * ndim)
    columns = direction.reshape(ndim, ndim).T.ravel()
    count = ndim * int(size.prod())
    numbers = _numbers(path, values, "TransformParameters", count)
    transform = sitk.BSplineTransform(ndim, 3)
    transform.SetFixedParameters([*size, *origin, *spacing, *columns])
    transform.SetParameters(numbers.tolist())
    return transform


def _word(values: Values, name: str, default: str) -> str:
    found = values.get(name)
    return found[0] if found else default


def _numbers(path: Path, values: Values, name: str, count: int) -> np.ndarray:
    """The numbers of an entry, as many as there must be."""
    found = values.get(name, [])
    try:
        numbers = np.array(found, np.float64)
    except ValueError:
        numbers = np.array([np.nan])
    if numbers.size != count or not np.isfinite(numbers).all():
        raise _damaged(path, f"{name} must have {count} numbers, but has {len(found)}")
    return numbers


def _damaged(path: Path, why: str) -> InputError:
    return InputError(
        f"{path}: can't be read as a transform of elastix ({why}); it's damaged or "
        "incomplete, so copy or write it again"
    )
