"""A pair that is prepared once is, from every start, what it is alone."""

import dataclasses

import numpy as np
import pytest

from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.pairs.preprocessing import prepare, prepare_pair
from dlir_tf.transforms import Affine, BSpline, Transform

SHAPES = {2: (22, 26), 3: (22, 26, 6)}


def make_config(ndim):
    stage = {"transform": "bspline", "downsample": 1, "control_point_spacing": 4}
    return Config.model_validate(
        {"ndim": ndim, "spacing": [1.5] * ndim, "stages": [stage]}
    )


def starts(ndim, rng):
    """None, a shift, and a spline."""
    matrix = np.eye(ndim + 1)
    matrix[0, -1] = 1.3
    points = rng.normal(size=(*[9] * ndim, ndim))
    lattice = np.diag([6.0] * ndim + [1.0])
    lattice[:-1, -1] = -9.0
    spline = Transform((BSpline(points, lattice),))
    return [None, Transform((Affine(matrix),)), spline]


@pytest.mark.parametrize("ndim", [2, 3])
@pytest.mark.parametrize("masked", [False, True])
def test_every_start_and_every_image_are_as_alone(ndim, masked, rng):
    """With padding in both images, and perhaps with a mask of the fixed one."""
    config, shape, affine = make_config(ndim), SHAPES[ndim], np.diag([2.0] * ndim + [1])
    images = []
    for corner in range(3):
        array = rng.uniform(size=shape).astype(np.float32)
        array[:corner, :2] = np.nan
        images.append(Image(array, affine))
    fixed, *frames = images
    inside = np.zeros(shape, bool)
    inside[4:] = True
    mask = Image(inside, affine) if masked else None
    prepared = prepare(fixed, fixed, config, fixed_mask=mask)
    for frame in frames:
        of_frame = prepared.with_moving(frame)
        for start in starts(ndim, rng):
            found = of_frame.from_start(start)
            alone = prepare_pair(
                fixed, frame, config, fixed_mask=mask, initial_transform=start
            )
            for field in dataclasses.fields(alone):
                if field.name not in ("grid", "initial"):
                    one, other = (getattr(x, field.name) for x in (found, alone))
                    np.testing.assert_array_equal(one, other, err_msg=field.name)
            assert found.initial is start or start is None
            assert (found.fixed_mask is not None) == masked


def test_slices_in_space_are_laid_out_as_the_first_one_was(rng):
    config = make_config(2)
    affine = np.eye(4)[[2, 0, 1, 3]] * [2.0, 2.0, 5.0, 1.0]
    affine[3, 3] = 1.0
    images = [Image(rng.uniform(size=(22, 26, 1)), affine) for _ in range(2)]
    found = prepare(images[0], images[0], config).with_moving(images[1]).from_start()
    alone = prepare_pair(*images, config)
    assert found.plane is not None
    np.testing.assert_array_equal(found.moving, alone.moving)
    np.testing.assert_array_equal(found.grid.affine, alone.grid.affine)


def test_a_constant_image_is_refused(rng):
    image = Image(rng.uniform(size=SHAPES[2]), np.eye(3))
    prepared = prepare(image, image, make_config(2))
    with pytest.raises(InputError, match="the moving image is constant"):
        prepared.with_moving(image.with_array(np.ones(SHAPES[2])))
