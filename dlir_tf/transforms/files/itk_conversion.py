"""Our components as SimpleITK's transforms, and back.

The two are the same functions. What differs: ITK's world is LPS+, its grids are given
by origin, spacing and direction, and a composite applies what was added last first.
SimpleITK is imported when it is needed.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlir_tf.errors import InputError
from dlir_tf.images import flip_ras_lps
from dlir_tf.images.frame import flip_affine
from dlir_tf.images.grid import column_norms
from dlir_tf.images.itk_files import affine_of, to_array
from dlir_tf.transforms.affine import Affine
from dlir_tf.transforms.bspline import BSpline
from dlir_tf.transforms.component import Component
from dlir_tf.transforms.dense_field import DenseField
from dlir_tf.transforms.files.itk_rigid import rigid_in_itk
from dlir_tf.transforms.transform import Transform

if TYPE_CHECKING:
    import SimpleITK as sitk


def to_itk(transform: Transform, *, as_affine: bool = False) -> "sitk.Transform":
    """The same map as an ITK transform, exactly.

    Axes that aren't perpendicular (of a CT with a tilted gantry) are kept: ITK's
    directions may be any regular matrix.

    Args:
        transform: Of `Affine`, `BSpline` and `DenseField` components.
        as_affine: Whether an affine that is rigid or a similarity is an
            `AffineTransform` all the same.

    Returns:
        A composite, or if there is one component only, that.

    Raises:
        TypeError: If there are other components.
    """
    import SimpleITK as sitk

    parts = [_component_to_itk(part, as_affine) for part in transform.components]
    if len(parts) == 1:
        return parts[0]
    composite = sitk.CompositeTransform(transform.ndim)
    for part in reversed(parts):
        composite.AddTransform(part)
    return composite


def field_to_itk(field: DenseField) -> "sitk.Image":
    """A displacement field as an ITK image of vectors, LPS+ mm, in its own dtype."""
    import SimpleITK as sitk

    vectors = flip_ras_lps(field.displacement)
    order = (*range(field.ndim)[::-1], field.ndim)
    image = sitk.GetImageFromArray(vectors.transpose(order), isVector=True)
    origin, spacing, direction = _frame(field.affine)
    image.SetOrigin(origin)
    image.SetSpacing(spacing)
    image.SetDirection(direction)
    return image


def from_itk(path: Path, transform: "sitk.Transform") -> list[Component]:
    """An ITK transform as components, in the order in which points go through them.

    Args:
        path: The file that it comes from, for the messages.
        transform: A composite (of composites), or anything that maps alike: linear
            transforms of any kind, B-splines of order 3, displacement fields.

    Raises:
        InputError: If there is another kind, or if numbers aren't finite or a matrix
            can't be inverted.
    """
    import SimpleITK as sitk

    if _is_wrapped(transform):
        return [_from_linear(transform)]
    if isinstance(transform, sitk.CompositeTransform):
        count = transform.GetNumberOfTransforms()
        parts = [transform.GetNthTransform(n) for n in reversed(range(count))]
        return [component for part in parts for component in from_itk(path, part)]
    try:
        if isinstance(transform, sitk.BSplineTransform):
            return [_from_bspline(path, transform)]
        if isinstance(transform, sitk.DisplacementFieldTransform):
            return [_from_field(transform)]
        if transform.IsLinear():
            return [_from_linear(transform)]
    except InputError:
        raise
    except ValueError as error:
        raise InputError(
            f"{path}: {transform.GetName()} can't be used ({error}); write the file "
            "again with the program that made it"
        ) from error
    raise InputError(
        f"{path}: transforms must be linear, cubic B-splines or displacement fields, "
        f"but there is a {transform.GetName()}; convert it to a displacement field"
    )


def _is_wrapped(transform: "sitk.Transform") -> bool:
    """Whether SimpleITK knows no class for a linear transform.

    Then it shows it as a composite, whose only part is the same composite again. A
    composite of nothing but one linear one may be taken for its like: the same map.
    """
    import SimpleITK as sitk

    return (
        isinstance(transform, sitk.CompositeTransform)
        and transform.GetNumberOfTransforms() == 1
        and isinstance(transform.GetNthTransform(0), sitk.CompositeTransform)
        and transform.IsLinear()
    )


def _component_to_itk(component: Component, as_affine: bool) -> "sitk.Transform":
    import SimpleITK as sitk

    if isinstance(component, Affine):
        matrix = flip_affine(flip_affine(component.matrix).T).T
        rigid = None if as_affine else rigid_in_itk(matrix)
        if rigid is not None:
            return rigid
        affine = sitk.AffineTransform(component.ndim)
        affine.SetMatrix(matrix[:-1, :-1].ravel().tolist())
        affine.SetTranslation(matrix[:-1, -1].tolist())
        return affine
    if isinstance(component, BSpline):
        return _bspline_to_itk(component)
    if isinstance(component, DenseField):
        wide = component.displacement.astype(np.float64)
        image = field_to_itk(DenseField(wide, component.affine))
        return sitk.DisplacementFieldTransform(image)
    raise TypeError(f"to_itk: ITK has no transform like {type(component).__name__}")


def _bspline_to_itk(component: BSpline) -> "sitk.BSplineTransform":
    import SimpleITK as sitk

    ndim, shape = component.ndim, component.control_points.shape[:-1]
    origin, spacing, direction = _frame(component.lattice)
    spline = sitk.BSplineTransform(ndim, 3)
    spline.SetFixedParameters([*map(float, shape), *origin, *spacing, *direction])
    coefficients = flip_ras_lps(component.control_points)
    columns = [coefficients[..., axis].ravel(order="F") for axis in range(ndim)]
    spline.SetParameters(np.concatenate(columns).tolist())
    return spline


def _frame(affine: np.ndarray) -> tuple[list[float], list[float], list[float]]:
    """Origin, spacing and direction, LPS+, of a grid."""
    matrix, spacing = flip_affine(affine), column_norms(affine)
    direction = matrix[:-1, :-1] / spacing
    return matrix[:-1, -1].tolist(), spacing.tolist(), direction.ravel().tolist()


def _from_bspline(path: Path, transform: "sitk.BSplineTransform") -> BSpline:
    if transform.GetOrder() != 3:
        raise InputError(
            f"{path}: B-splines must be of order 3, but one is of order "
            f"{transform.GetOrder()}; convert it to a displacement field"
        )
    ndim = transform.GetDimension()
    fixed = np.array(transform.GetFixedParameters())
    sizes, origin, spacing = fixed[: 3 * ndim].reshape(3, ndim)
    lattice = np.eye(ndim + 1)
    lattice[:-1, :-1] = fixed[3 * ndim :].reshape(ndim, ndim) * spacing
    lattice[:-1, -1] = origin
    shape = (ndim, *sizes[::-1].astype(int))
    coefficients = np.array(transform.GetParameters()).reshape(shape).T
    return BSpline(flip_ras_lps(coefficients), flip_affine(lattice))


def _from_field(transform: "sitk.DisplacementFieldTransform") -> DenseField:
    image = transform.GetDisplacementField()
    vectors = flip_ras_lps(to_array(image))
    if not np.isfinite(vectors).all():
        raise ValueError("expected finite displacements")
    narrow = vectors.astype(np.float32)
    field = narrow if np.array_equal(narrow, vectors) else vectors
    return DenseField(field, affine_of(image))


def _from_linear(transform: "sitk.Transform") -> Affine:
    ndim = transform.GetDimension()
    matrix = np.eye(ndim + 1)
    # Where the origin goes has the centre of rotation in it already.
    offset = matrix[:-1, -1] = transform.TransformPoint([0.0] * ndim)
    if hasattr(transform, "GetMatrix"):
        matrix[:-1, :-1] = np.reshape(transform.GetMatrix(), (ndim, ndim))
    else:
        corners = [transform.TransformPoint(axis) for axis in np.eye(ndim).tolist()]
        matrix[:-1, :-1] = np.subtract(corners, offset).T
    return Affine(flip_affine(flip_affine(matrix).T).T)
