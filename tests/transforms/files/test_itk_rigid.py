"""Rigid motions and similarities are called so in ITK's files, and map the same."""

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from dlir_tf.transforms import Affine, Transform
from dlir_tf.transforms.files.dispatch import read_transform, write_transform

SUFFIXES = [".tfm", ".txt", ".h5"]
NAMES = {
    (2, 1.0): "Euler2DTransform",
    (3, 1.0): "Euler3DTransform",
    (2, 1.3): "Similarity2DTransform",
    (3, 0.8): "Similarity3DTransform",
}
TURNS = [(0.4, -0.3, 0.5), (0.0, 0.0, 0.0), (3.0, 0.2, -1.0), (0.1, 1.5, 0.0)]


def _affine(ndim, angles, scale=1.0):
    matrix = np.eye(ndim + 1)
    turn = Rotation.from_euler("xyz", angles).as_matrix()
    if ndim == 2:
        turn = Rotation.from_euler("z", angles[0]).as_matrix()[:2, :2]
    matrix[:-1, :-1] = scale * turn
    matrix[:-1, -1] = np.array([31.0, -170.25, 12.5])[:ndim]
    return Affine(matrix)


def _as_itk_maps(path, points):
    """What ITK makes of points in RAS."""
    flip = np.array([-1, -1, 1])[: points.shape[1]]
    stored = sitk.ReadTransform(str(path))
    return np.array([stored.TransformPoint(p) for p in (points * flip).tolist()]) * flip


def _name(path):
    stored = sitk.ReadTransform(str(path))
    return getattr(stored, "Downcast", lambda: stored)().GetName()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("angles", TURNS)
@pytest.mark.parametrize(("ndim", "scale"), NAMES)
def test_it_is_called_what_it_is(tmp_path, rng, ndim, scale, angles, suffix):
    path = tmp_path / f"t{suffix}"
    transform = Transform((_affine(ndim, angles, scale),))
    assert write_transform(path, transform) == 0.0
    assert _name(path) == NAMES[ndim, scale]
    points = rng.uniform(-200, 200, (20, ndim))
    expected = transform.map_points(points)
    np.testing.assert_allclose(_as_itk_maps(path, points), expected, atol=1e-8)
    again = read_transform(path)
    np.testing.assert_allclose(
        again.affine_part, transform.affine_part, rtol=0, atol=1e-10
    )
    linear = again.affine_part[:-1, :-1] / scale
    np.testing.assert_allclose(linear.T @ linear, np.eye(ndim), atol=1e-12)


def test_half_turns_and_locked_gimbals_are_exact(tmp_path):
    """By another word, where angles or a versor can't say them to the last digits."""
    quarter = np.pi / 2
    for angles in [
        (quarter, 0, 0.3),
        (-quarter, 0.7, 0.2),
        (np.pi, 0, 0),
        (0, np.pi, 1),
    ]:
        for scale in (1.0, 1.25):
            path = tmp_path / "t.tfm"
            transform = Transform((_affine(3, angles, scale),))
            write_transform(path, transform)
            found = read_transform(path).affine_part
            np.testing.assert_allclose(found, transform.affine_part, atol=1e-10)


@pytest.mark.parametrize("change", ["sheared", "mirrored", "rounded"])
def test_what_is_not_quite_one_stays_an_affine(tmp_path, change):
    matrix = _affine(3, TURNS[0]).matrix.copy()
    if change == "sheared":
        matrix[:3, 0] += 1e-4 * matrix[:3, 1]
    if change == "mirrored":
        matrix[:3, 0] *= -1
    if change == "rounded":
        matrix = matrix.astype(np.float32).astype(float)
    path = tmp_path / "t.tfm"
    write_transform(path, Transform((Affine(matrix),)))
    assert _name(path) == "AffineTransform"
    np.testing.assert_array_equal(read_transform(path).affine_part, matrix)


def test_ants_calls_it_an_affine(tmp_path):
    """As its own files of rigid registrations do."""
    path = tmp_path / "a_0GenericAffine.mat"
    transform = Transform((_affine(3, TURNS[0]),))
    write_transform(path, transform)
    assert _name(path) == "AffineTransform"
    found = read_transform(path).affine_part
    np.testing.assert_allclose(found, transform.affine_part, atol=1e-12)
