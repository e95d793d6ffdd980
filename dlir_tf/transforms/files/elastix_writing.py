"""Writing elastix' `TransformParameters` files, one for each part of a transform.

A point goes through the initial transform first, so the file that is asked for holds
the last part, and names the one before it. They are called after it: `NAME.txt` goes on
from `NAME.initial-1.txt`, and that one from `NAME.initial-0.txt`.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.files import replacing, write_together
from dlir_tf.images import Grid
from dlir_tf.images.frame import flip_affine
from dlir_tf.transforms.affine import Affine
from dlir_tf.transforms.bspline import BSpline
from dlir_tf.transforms.component import Component
from dlir_tf.transforms.files.dense_form import simplified
from dlir_tf.transforms.files.itk_conversion import to_itk
from dlir_tf.transforms.transform import Transform

_NAMES = {
    "Euler2DTransform": "EulerTransform",
    "Euler3DTransform": "EulerTransform",
    "Similarity2DTransform": "SimilarityTransform",
    "Similarity3DTransform": "SimilarityTransform",
    "AffineTransform": "AffineTransform",
}
_ENDING = ".txt"


def write_elastix(
    path: Path, transform: Transform, fixed: Grid | None, moving: Grid | None
) -> float:
    """Writes what `transformix -tp` takes: all its files, or none.

    Args:
        path: The last file's name, which ends with `.txt`.
        transform: Of affine components and cubic B-splines, 2-d or 3-d.
        fixed: The grid of the fixed image, on which transformix resamples.
        moving: Isn't needed.

    Returns:
        0.0: it's exact.

    Raises:
        InputError: If there is a displacement field or the inverse of a deformation,
            or the fixed image isn't given.
    """
    if fixed is None:
        raise InputError(
            "files of elastix state the grid on which they resample, but none was "
            "given; give the fixed image as the reference",
            place=path,
        )
    parts = _parts(path, transform)
    paths = [*_initial_paths(path, len(parts) - 1), path]
    before = ["NoInitialTransform", *(each.name for each in paths[:-1])]
    writers: dict[Path, Callable[[Path], object]] = {
        each: partial(_write, text=_text(part, initial, fixed))
        for each, part, initial in zip(paths, parts, before, strict=True)
    }
    write_together(writers)
    return 0.0


def _parts(path: Path, transform: Transform) -> list[Component]:
    """Splines, and matrices as few as there can be."""
    parts: list[Component] = []
    for component in map(simplified, transform.components):
        if isinstance(component, Affine) and parts and isinstance(parts[-1], Affine):
            parts[-1] = Affine(component.matrix @ parts[-1].matrix)
        elif isinstance(component, Affine | BSpline):
            parts.append(component)
        else:
            raise InputError(
                "files of elastix hold matrices and cubic B-splines, but the transform "
                f"has a part of another kind ({type(component).__name__}); write it "
                "for ITK, or as a displacement field",
                place=path,
            )
    return parts


def _initial_paths(path: Path, count: int) -> list[Path]:
    stem = path.name.removesuffix(_ENDING)
    return [path.with_name(f"{stem}.initial-{n}{_ENDING}") for n in range(count)]


def _text(part: Component, initial: str, fixed: Grid) -> str:
    stored = to_itk(Transform((part,)))
    if stored.GetName() not in (*_NAMES, "BSplineTransform"):
        stored = to_itk(Transform((part,)), as_affine=True)
    own = _spline(stored) if isinstance(part, BSpline) else _linear(stored)
    numbers = stored.GetParameters()
    ndim = part.ndim
    frame = flip_affine(fixed.affine)
    # Column by column, unlike a direction in ITK.
    directions = (frame[:-1, :-1] / fixed.spacing).ravel(order="F")
    entries: dict[str, Any] = {
        **own,
        "NumberOfParameters": [len(numbers)],
        "TransformParameters": numbers,
        "InitialTransformParametersFileName": [initial],
        "HowToCombineTransforms": ["Compose"],
        "FixedImageDimension": [ndim],
        "MovingImageDimension": [ndim],
        "FixedInternalImagePixelType": ["float"],
        "MovingInternalImagePixelType": ["float"],
        "Size": fixed.shape,
        "Index": [0] * ndim,
        "Spacing": fixed.spacing,
        "Origin": frame[:-1, -1].tolist(),
        "Direction": directions.tolist(),
        "UseDirectionCosines": ["true"],
        "ResampleInterpolator": ["FinalLinearInterpolator"],
        "Resampler": ["DefaultResampler"],
        "DefaultPixelValue": [0],
        "ResultImageFormat": ["nii.gz"],
        "ResultImagePixelType": ["float"],
        "CompressResultImage": ["true"],
    }
    lines = [f"({name} {' '.join(map(_word, v))})" for name, v in entries.items()]
    return "\n".join(lines) + "\n"


def _linear(stored: Any) -> dict[str, Any]:
    kind = _NAMES[stored.GetName()]
    own = {"Transform": [kind], "CenterOfRotationPoint": stored.GetCenter()}
    if kind == "EulerTransform" and stored.GetDimension() == 3:
        own["ComputeZYX"] = ["false"]
    return own


def _spline(stored: Any) -> dict[str, Any]:
    ndim = stored.GetDimension()
    fixed = np.array(stored.GetFixedParameters())
    size, origin, spacing = fixed[: 3 * ndim].reshape(3, ndim)
    direction = fixed[3 * ndim :].reshape(ndim, ndim)
    return {
        "Transform": ["BSplineTransform"],
        "GridSize": size.astype(int).tolist(),
        "GridIndex": [0] * ndim,
        "GridSpacing": spacing.tolist(),
        "GridOrigin": origin.tolist(),
        "GridDirection": direction.ravel(order="F").tolist(),
        "BSplineTransformSplineOrder": [3],
        "UseCyclicTransform": ["false"],
    }


def _word(value: object) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _write(path: Path, *, text: str) -> None:
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
