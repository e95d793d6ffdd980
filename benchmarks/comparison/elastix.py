"""itk-elastix: a pair through one or more parameter maps, and its answer as ours.

`translation`, `affine` and `bspline` are elastix's default parameter maps, untouched.
Together and in this order they are what it does when it's given none. `bspline` alone
is its default for images that lie on each other already.

`translation-ncc`, `affine-ncc` and `bspline-ncc` are these with normalised correlation
as their metric, and nothing else changed.

`ncc-coarse` and `ncc-fine` follow Par0011 of the elastix model zoo, the two B-spline
maps of Staring et al. (EMPIRE10, MICCAI 2010): normalised correlation and 0.05 of
bending energy, 10 mm and then 5 mm between control points, 5 resolutions with 1000 and
2000 iterations each. Par0011 is for nearly isotropic CT. So along the axis of thick
slices an image is smoothed no further than along the others in mm, and control points
are not closer than slices.

Of the masks of a pair, elastix gets the fixed one, as its manual advises: samples are
drawn inside it. With the moving one as well, it gives up where too many samples fall
out of that at the start.
"""

import sys

import numpy as np

from comparison.methods import NO_MASKS, Masks, Prepared
from dlir_tf.images import Image, flip_ras_lps
from dlir_tf.images.frame import flip_affine
from dlir_tf.transforms import Affine, BSpline, Component, Transform

# Of Par0011: mm between control points, multiples of it, shrinking, iterations.
_NCC = {
    "ncc-coarse": (10.0, (8, 8, 4, 2, 1), (16, 8, 4, 2, 1), 1000),
    "ncc-fine": (5.0, (16, 8, 4, 2, 1), (4, 3, 2, 1, 1), 2000),
}


def import_itk():
    """Imports ITK without PyTorch, which it would load for nothing if it's there."""
    there = "torch" in sys.modules
    if not there:
        sys.modules["torch"] = None
    try:
        import itk
    finally:
        if not there:
            del sys.modules["torch"]
    return itk


def prepare(
    fixed: Image, moving: Image, settings: dict, masks: Masks = NO_MASKS
) -> Prepared:
    """Loads elastix, and takes images and parameter maps to it."""
    itk = import_itk()
    images = [itk_image(image) for image in (fixed, moving)]
    mask = None if masks[0] is None else itk_image(masks[0], np.uint8)
    parameters = itk.ParameterObject.New()
    for name in settings["maps"]:
        default = "bspline" if name in _NCC else name.removesuffix("-ncc")
        values = parameters.GetDefaultParameterMap(default)
        changes = ncc_map(name, fixed.spacing) if name in _NCC else {}
        if default != name and name not in _NCC:
            changes = {"Metric": ["AdvancedNormalizedCorrelation"]}
        for key, value in {**changes, **settings.get("changes", {})}.items():
            values[key] = value
        parameters.AddParameterMap(values)

    def run():
        # Its number of threads is ITK's; SetNumberOfThreads makes it crash.
        elastix = itk.ElastixRegistrationMethod.New(*images)
        elastix.SetParameterObject(parameters)
        if mask is not None:
            elastix.SetFixedMask(mask)
        elastix.SetLogToConsole(False)
        elastix.UpdateLargestPossibleRegion()
        return elastix.GetTransformParameterObject()

    return Prepared(run, to_transform)


def itk_image(image: Image, dtype: type = np.float32):
    """The same image in ITK, at the same place of its world."""
    itk = import_itk()
    lps, spacing = flip_affine(image.affine), np.asarray(image.spacing)
    array = np.ascontiguousarray(image.array.T, dtype)
    converted = itk.image_from_array(array)
    converted.SetSpacing(spacing.tolist())
    converted.SetOrigin(lps[:-1, -1].tolist())
    direction = np.ascontiguousarray(lps[:-1, :-1] / spacing)
    converted.SetDirection(itk.matrix_from_array(direction))
    return converted


def ncc_map(name: str, spacing: tuple[float, ...]) -> dict[str, list[str]]:
    """What differs from the default B-spline map."""
    final_mm, multiples, shrinking, iterations = _NCC[name]
    thickness = np.asarray(spacing) / min(spacing)
    factors = [np.maximum(1, np.round(f / thickness)) for f in shrinking]
    values = {
        "Metric": ["AdvancedNormalizedCorrelation", "TransformBendingEnergyPenalty"],
        "UseRelativeWeights": ["true"],
        "Metric0RelativeWeight": [1.0],
        "Metric1RelativeWeight": [0.05],
        "FixedImagePyramid": ["FixedRecursiveImagePyramid"],
        "MovingImagePyramid": ["MovingRecursiveImagePyramid"],
        "NumberOfResolutions": [len(multiples)],
        "ImagePyramidSchedule": [int(f) for level in factors for f in level],
        "FinalGridSpacingInPhysicalUnits": [max(final_mm, s) for s in spacing],
        "GridSpacingSchedule": multiples,
        "MaximumNumberOfIterations": [iterations],
        "Interpolator": ["BSplineInterpolator"],
        "BSplineInterpolationOrder": [1],
        "NumberOfSpatialSamples": [2000],
        "MaximumNumberOfSamplingAttempts": [50],
    }
    return {key: [str(value) for value in row] for key, row in values.items()}


def to_transform(parameters) -> Transform:
    """What elastix found, exactly, in RAS+ mm.

    A fixed point goes through the first map's transform first.
    """
    count = parameters.GetNumberOfParameterMaps()
    maps = [dict(parameters.GetParameterMap(index)) for index in range(count)]
    for found in maps[1:]:
        if found["HowToCombineTransforms"][0] != "Compose":
            raise ValueError(f"to_transform: expected Compose. Received: {found}")
    return Transform(tuple(_component(found) for found in maps))


def _component(found) -> Component:
    numbers = np.array(found["TransformParameters"], np.float64)
    ndim = int(found["FixedImageDimension"][0])
    kind = found["Transform"][0]
    matrix = np.eye(ndim + 1)
    if kind == "TranslationTransform":
        matrix[:-1, -1] = numbers
    elif kind == "AffineTransform":
        centre = np.array(found["CenterOfRotationPoint"], np.float64)
        matrix[:-1, :-1] = numbers[: ndim * ndim].reshape(ndim, ndim)
        offset = centre - matrix[:-1, :-1] @ centre
        matrix[:-1, -1] = numbers[ndim * ndim :] + offset
    elif kind == "BSplineTransform":
        return _bspline(found, numbers, ndim)
    else:
        raise ValueError(f"to_transform: unknown transform {kind}")
    return Affine(flip_affine(flip_affine(matrix).T).T)


def _bspline(found, numbers: np.ndarray, ndim: int) -> BSpline:
    size = [int(n) for n in found["GridSize"]]
    spacing, origin = (
        np.array(found[key], np.float64) for key in ("GridSpacing", "GridOrigin")
    )
    # Column by column, unlike the direction of an ITK transform's file.
    direction = np.array(found["GridDirection"], np.float64).reshape(ndim, ndim).T
    lattice = np.eye(ndim + 1)
    lattice[:-1, :-1] = direction * spacing
    lattice[:-1, -1] = origin
    coefficients = numbers.reshape(ndim, *size[::-1]).T
    return BSpline(flip_ras_lps(coefficients), flip_affine(lattice))
