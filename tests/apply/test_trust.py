"""How exact an inverse is, told from points whose way back is known."""

import warnings

import numpy as np
import pytest
from itk_judge import random_frame, random_image, random_parameters

from dlir_tf.apply.trust import points_with_values, report_inverse
from dlir_tf.images import Image
from dlir_tf.transforms import Affine, BSpline, DenseField, Transform


def report(transform, fixed, moving):
    """Of the way from the moving image to the fixed one."""
    inverse = transform.inverse()
    return report_inverse(
        inverse, points_with_values(inverse, fixed.grid, moving.grid), "i.h5"
    )


@pytest.mark.parametrize("ndim", [2, 3])
def test_where_the_transform_is_one_to_one_the_inverse_holds(rng, ndim):
    parameters = random_parameters(rng, ndim, 1, size=0.3)
    fixed = Image(np.zeros(parameters.grid.shape, np.int16), parameters.grid.affine)
    transform = parameters.ours()
    centre = transform.map_points([fixed.affine[:-1] @ [*np.array(fixed.shape) / 2, 1]])
    shape = (30, 25, 20)[:ndim]
    affine = random_frame(rng, (0.3,) * ndim, centre[0], shape)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        line = report(transform, fixed, random_image(rng, shape, affine))
    assert line.startswith("i.h5: the inverse holds to ")
    assert float(line.split()[5]) <= 1e-4


def test_points_that_come_from_nowhere_are_warned_of():
    """A field that ends within the image tears a gap of 3 mm there."""
    field = np.zeros((20, 30, 2))
    field[..., 0] = -3.0
    transform = Transform((DenseField(field, np.eye(3)),))
    fixed = Image(np.zeros((40, 30), np.uint8), np.eye(3))
    with pytest.warns(UserWarning, match="the inverse is off by up to") as caught:
        assert report(transform, fixed, fixed) is None
    share = (
        100
        * 3
        * 30
        / len(points_with_values(transform.inverse(), fixed.grid, fixed.grid))
    )
    assert f"at {share:.2g} % of the points" in str(caught[0].message)


def test_only_points_that_come_from_the_fixed_image_count(rng):
    fixed = random_image(rng, (11, 9), np.eye(3))
    moving = random_image(rng, (40, 40), np.diag([0.5, 0.5, 1.0]))
    shift = np.eye(3)
    shift[:2, 2] = 2.0, 3.0
    back = Transform((Affine(shift),)).inverse()
    points = points_with_values(back, fixed.grid, moving.grid)
    # From (1.5, 2.5) to (12.5, 11.5), in steps of half a mm.
    assert len(points) == 23 * 19
    np.testing.assert_array_equal(points.min(axis=0), [1.5, 2.5])
    assert report_inverse(back, points, "exact") is None
    shift[0, 2] = 500.0
    nothing = points_with_values(
        Transform((Affine(shift),)).inverse(), fixed.grid, moving.grid
    )
    assert nothing.shape == (0, 2)


def test_large_images_are_looked_at_evenly():
    image = Image(np.broadcast_to(np.float32(0), (200, 300, 100)), np.eye(4))
    points = points_with_values(Transform((Affine(np.eye(4)),)), image.grid, image.grid)
    assert 10_000 < len(points) < 20_000
    np.testing.assert_array_equal(points.min(axis=0), 0)
    np.testing.assert_array_equal(points.max(axis=0), [199, 299, 99])


def test_one_slice_counts(rng):
    image = random_image(rng, (11, 9, 1), np.diag([1.0, 1.0, 8.0, 1.0]))
    control_points = np.repeat(rng.normal(size=(8, 8, 1, 3)), 4, axis=2)
    control_points[..., 2] = 0
    lattice = np.diag([4.0, 4.0, 8.0, 1.0])
    lattice[:3, 3] = -5.0, -5.0, -12.0
    transform = Transform((BSpline(0.5 * control_points, lattice),))
    beside = image.affine.copy()
    beside[2, 3] = 2.0  # within the fixed slice's thickness
    line = report(transform, image, Image(image.array, beside))
    assert line.startswith("i.h5: the inverse holds to ")
