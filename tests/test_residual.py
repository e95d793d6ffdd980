"""The inverse's residual, on points whose way back is known."""

import numpy as np
import pytest
from itk_judge import random_frame, random_image, random_parameters

from dlir_tf.images import Image
from dlir_tf.residual import MAX_POINTS, inverse_residual
from dlir_tf.transforms import Affine, BSpline, DenseField, Transform


@pytest.mark.parametrize("ndim", [2, 3])
def test_where_the_transform_is_one_to_one_there_is_hardly_any(rng, ndim):
    parameters = random_parameters(rng, ndim, 1, size=0.5)
    fixed = Image(np.zeros(parameters.grid.shape, np.int16), parameters.grid.affine)
    transform = parameters.ours()
    centre = transform.map_points([fixed.affine[:-1] @ [*np.array(fixed.shape) / 2, 1]])
    shape = (30, 25, 20)[:ndim]
    affine = random_frame(rng, (0.9,) * ndim, centre[0], shape)
    residual = inverse_residual(transform, fixed, random_image(rng, shape, affine))
    assert residual.num_points > 50
    assert residual.largest_mm < 1e-4
    assert residual.num_large == 0
    assert f"mm, at {residual.num_points} points of the moving image" in str(residual)


def test_points_that_come_from_nowhere_are_told():
    """A field that ends within the image tears a gap of 3 mm there."""
    field = np.zeros((20, 30, 2))
    field[..., 0] = -3.0
    transform = Transform((DenseField(field, np.eye(3)),))
    fixed = Image(np.zeros((40, 30), np.uint8), np.eye(3))
    residual = inverse_residual(transform, fixed, fixed)
    assert residual.num_large == 3 * 30
    assert 1 < residual.largest_mm < 3
    assert f"at 90 of {residual.num_points} points: the transform folds" in str(
        residual
    )


def test_only_points_that_come_from_the_fixed_image_count(rng):
    fixed = random_image(rng, (11, 9), np.eye(3))
    moving = random_image(rng, (40, 40), np.diag([0.5, 0.5, 1.0]))
    shift = np.eye(3)
    shift[:2, 2] = 2.0, 3.0
    residual = inverse_residual(Transform((Affine(shift),)), fixed, moving)
    # From (2, 3) to (12, 12), in steps of half a mm.
    assert residual.num_points == 21 * 17
    shift[0, 2] = 500.0
    nothing = inverse_residual(Transform((Affine(shift),)), fixed, moving)
    assert nothing.num_points == 0
    assert np.isnan(nothing.largest_mm)
    assert "no point of the moving image" in str(nothing)


def test_large_images_are_looked_at_evenly():
    array = np.broadcast_to(np.float32(0), (200, 300, 100))
    image = Image(array, np.eye(4))
    residual = inverse_residual(Transform((Affine(np.eye(4)),)), image, image)
    assert 0.3 * MAX_POINTS < residual.num_points <= 1.3 * MAX_POINTS


def test_one_slice_counts(rng):
    image = random_image(rng, (11, 9, 1), np.diag([1.0, 1.0, 8.0, 1.0]))
    points = np.repeat(rng.normal(size=(8, 8, 1, 3)), 4, axis=2)
    lattice = np.diag([4.0, 4.0, 8.0, 1.0])
    lattice[:3, 3] = -5.0, -5.0, -12.0
    points[..., 2] = 0
    transform = Transform((BSpline(0.5 * points, lattice),))
    beside = image.affine.copy()
    beside[2, 3] = 2.0  # within the fixed slice's thickness
    residual = inverse_residual(transform, image, Image(image.array, beside))
    assert residual.num_points > 50
    assert residual.largest_mm < 1e-4
