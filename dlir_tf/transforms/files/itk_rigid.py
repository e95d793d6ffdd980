"""Rotations, and rotations with a scale, in the words that ITK has for them."""

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

# What a matrix may be off, of one that is made of angles or of a versor.
_EXACT = 1e-12


def rigid_in_itk(matrix: np.ndarray) -> Any | None:
    """A rigid or similarity transform of ITK that is the same map, to 12 digits.

    About the world's origin: an `Euler2DTransform` or `Euler3DTransform`, a
    `VersorRigid3DTransform` where angles can't tell (next to a gimbal lock), a
    `Similarity2DTransform` or `Similarity3DTransform` with a scale.

    Args:
        matrix: `(ndim + 1, ndim + 1)`, LPS+ mm.

    Returns:
        Of SimpleITK; `None` if it isn't one, or ITK can't say it as exactly.
    """
    linear, shift = matrix[:-1, :-1], matrix[:-1, -1]
    determinant = np.linalg.det(linear)
    if not determinant > 0:
        return None
    size = determinant ** (1 / len(linear))
    turn = linear / size
    if not np.allclose(turn.T @ turn, np.eye(len(turn)), rtol=0, atol=_EXACT):
        return None
    if abs(size - 1) <= _EXACT:
        size = 1.0
    for transform in _candidates(turn, size):
        transform.SetTranslation(shift.tolist())
        # As it will be read: a versor's parameters don't hold half a turn exactly.
        transform.SetParameters(transform.GetParameters())
        said = np.reshape(transform.GetMatrix(), linear.shape)
        if np.allclose(said, linear, rtol=0, atol=_EXACT):
            return transform
    return None


def _candidates(turn: np.ndarray, size: float) -> Iterator[Any]:
    """Transforms of ITK that should turn and scale like this."""
    import SimpleITK as sitk

    plane: Any
    if len(turn) == 2:
        plane = sitk.Euler2DTransform() if size == 1 else sitk.Similarity2DTransform()
        plane.SetAngle(float(np.arctan2(turn[1, 0], turn[0, 0])))
        if size != 1:
            plane.SetScale(size)
        yield plane
        return
    rotation = Rotation.from_matrix(turn)
    versor = rotation.as_quat(canonical=True).tolist()
    if size != 1:
        similar = sitk.Similarity3DTransform()
        similar.SetRotation(versor)
        similar.SetScale(size)
        yield similar
        return
    with warnings.catch_warnings():  # of a gimbal lock, which the caller sees
        warnings.simplefilter("ignore")
        about_z, about_x, about_y = rotation.as_euler("ZXY").tolist()
    euler = sitk.Euler3DTransform()
    euler.SetRotation(about_x, about_y, about_z)
    yield euler
    rigid = sitk.VersorRigid3DTransform()
    rigid.SetRotation(versor)
    yield rigid
