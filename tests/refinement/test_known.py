"""Landmarks and outlines in a refinement: gradients, and valleys that are left."""

import numpy as np
import pytest
from scipy import ndimage

from dlir_tf.config import Config, load_config
from dlir_tf.errors import InputError
from dlir_tf.images import Image
from dlir_tf.pairs.knowledge import Knowledge
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.refinement.known import Known
from dlir_tf.refinement.standing import Standing
from dlir_tf.registration import register
from dlir_tf.transforms import BSpline, Transform

from .conftest import AFFINE, make_config, spline

SIZES = {2: (40, 32), 3: (24, 32, 12)}
SPACING = {2: (1.5, 0.8), 3: (1.5, 0.8, 4.0)}


def affine_of(ndim):
    return np.diag([*SPACING[ndim], 1.0])


def world(rng, ndim, count):
    last = np.array(SIZES[ndim]) - 1
    return rng.uniform(0.2, 0.8, (count, ndim)) * last * SPACING[ndim]


def ball(ndim, centre, radius):
    places = np.moveaxis(np.indices(SIZES[ndim]), 0, -1) * SPACING[ndim]
    return np.linalg.norm(places - np.asarray(centre)[:ndim], axis=-1) < radius


@pytest.fixture(params=[(2, "points"), (2, "labels"), (3, "points"), (3, "labels")])
def case(request, rng):
    """A pair that has been moved already, and what is known of it."""
    ndim, what = request.param
    fixed, moving = (
        Image(ndimage.gaussian_filter(rng.normal(size=SIZES[ndim]), 2), affine_of(ndim))
        for _ in range(2)
    )
    config = make_config(ndim, [AFFINE, spline([8, 8, 4][:ndim])])
    pair = prepare_pair(fixed, moving, config)
    known = {"points": (world(rng, ndim, 9), world(rng, ndim, 9))}
    if what == "labels":
        places = ((20, 14, 20), (40, 12, 24)), ((26, 12, 24), (38, 14, 20))
        sides = [4 * ball(ndim, c, 9) + 7 * ball(ndim, d, 5) for c, d in places]
        known = {"labels": tuple(fixed.with_array(s.astype(np.int16)) for s in sides)}
    matrix = np.eye(ndim, ndim + 1) + 0.03 * rng.normal(size=(ndim, ndim + 1))
    standing = Standing(pair, matrix, {})
    stage = config.stages[1]
    bump = rng.normal(size=(*stage.lattice_shape(pair.grid.shape), ndim))
    standing = standing.with_spline("control_points_2", stage, bump)
    return Known.of(pair, Knowledge(**known)), standing, stage


def assert_slopes(term, numbers, rng, step=1e-2, tolerance=0.03):
    """Along random directions, against differences."""
    _, gradient = term(numbers)
    for _ in range(4):
        direction = rng.normal(size=numbers.shape)
        forth, back = (term(numbers + s * step * direction)[0] for s in (1, -1))
        difference = (forth - back) / (2 * step)
        size = np.linalg.norm(gradient) * np.linalg.norm(direction)
        assert np.vdot(gradient, direction) == pytest.approx(
            difference, abs=tolerance * size / np.sqrt(numbers.size) + 1e-6
        )
    assert np.abs(gradient).max() > 1e-4


def test_a_lattice_goes_down_its_gradient(case, rng):
    known, standing, stage = case
    term = known.of_spline(standing, stage)
    shape = (*stage.lattice_shape(standing.pair.grid.shape), len(known.spacing))
    numbers = 0.5 * rng.normal(size=shape)
    assert_slopes(term, numbers, rng, tolerance=0.2)
    # With nothing more, it's what the standing has; with that, what the next one has.
    still = term(np.zeros(shape))[0]
    assert still == pytest.approx(known.loss(standing, stage.downsample), rel=1e-3)
    further = standing.with_spline("control_points_3", stage, numbers)
    assert term(numbers)[0] == pytest.approx(
        known.loss(further, stage.downsample), rel=0.05
    )


def test_a_matrix_goes_down_its_gradient(case, rng):
    known, standing, _ = case
    factor = (2,) * 2 + (1,) * (len(known.spacing) - 2)
    term = known.of_matrix(standing, factor)
    assert_slopes(term, standing.matrix, rng, step=1e-4, tolerance=0.2)
    assert term(standing.matrix)[0] == pytest.approx(
        known.loss(standing, factor), rel=0.05
    )


def test_points_that_meet_add_nothing(rng):
    config = make_config(3, [AFFINE])
    image = Image(ndimage.gaussian_filter(rng.normal(size=SIZES[3]), 2), affine_of(3))
    pair, points = prepare_pair(image, image, config), world(rng, 3, 6)
    known = Known.of(pair, Knowledge(points=(points, points)))
    still = Standing(pair, np.eye(3, 4), {})
    assert known.loss(still, (1, 1, 1)) < 1e-3
    apart = Known.of(pair, Knowledge(points=(points, points + np.array([0, 3.0, 0]))))
    assert apart.loss(still, (1, 1, 1)) == pytest.approx(0.1 * 3.0, rel=1e-3)


PERIOD = 16.0  # mm


def stripes(ndim, shift):
    """A row of equal balls, as many as there are: which is which, nobody sees."""
    size, spacing = (72, 40, 20)[:ndim], (1.5, 1.5, 3.0)[:ndim]
    places = np.moveaxis(np.indices(size), 0, -1) * np.array(spacing)
    middle = places[..., 1:] - (np.array(size[1:]) - 1) * spacing[1:] / 2
    along = (places[..., 0] - shift + PERIOD / 2) % PERIOD - PERIOD / 2
    square = along**2 + (middle**2).sum(axis=-1)
    number = np.floor((places[..., 0] - shift + PERIOD / 2) / PERIOD).astype(int)
    labels = np.where(square < 25, number % 5 + 1, 0) * ((number >= 1) & (number <= 4))
    affine = np.diag([*spacing, 1.0])
    image = Image(np.exp(-square / 30).astype(np.float32), affine)
    return image, image.with_array(labels.astype(np.int16))


def valley_config(ndim, linear):
    first = {"transform": linear, "downsample": 1, "feature_spacing": 4}
    settings = {
        "ndim": ndim,
        "spacing": [None] * ndim,
        "intensity": {"clip_percentiles": None, "clip_values": [0, 1]},
        "stages": [first, spline([8, 8, 4][:ndim], bending_energy=1.0)],
        "refinement": {"steps": 160, "learning_rate": 0.03},
    }
    return Config.model_validate(settings)


@pytest.mark.parametrize("what", ["points", "labels"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_a_wrong_valley_is_left(ndim, what):
    """Each ball lies on the next one: the images can't tell, knowledge can."""
    (fixed, fixed_labels), (moving, moving_labels) = (
        stripes(ndim, shift) for shift in (0.0, PERIOD - 1.0)
    )
    config = valley_config(ndim, "affine")
    truth = (PERIOD - 1.0) * np.eye(ndim)[0]
    about = fixed.grid.centre + np.array([[-20.0], [0.0], [20.0]]) * np.eye(ndim)[0]
    about[:, 0] -= about[1, 0] % PERIOD
    about = about + np.array([0.0, 3.0, -4.0])[:ndim] * [[1], [-1], [0.5]]
    known = {"points": (about, about + truth)}
    if what == "labels":
        known = {"labels": (fixed_labels, moving_labels), "labels_weight": 3.0}
    blind = register(fixed, moving, config=config)
    seeing = register(fixed, moving, config=config, knowledge=Knowledge(**known))
    errors = [
        np.linalg.norm(r.transform.map_points(about) - about - truth, axis=1).mean()
        for r in (blind, seeing)
    ]
    assert errors[0] > 0.8 * PERIOD
    assert errors[1] < 1.0


def test_points_bend_what_the_images_leave_open(rng):
    """Where there's nothing to see, landmarks alone tell; their weight counts."""
    shape = (48, 40)
    flat = Image(np.zeros(shape, np.float32), np.eye(3))
    flat.array[4:8, 4:8] = 1
    config = make_config(2, [spline([8, 8], bending_energy=0.001)])
    points = np.array([[30.0, 20.0], [36.0, 28.0], [24.0, 30.0]])
    moved = points + np.array([[2.0, 1.0], [1.5, 1.0], [2.0, -1.0]])
    errors = []
    for weight in (1e-6, 0.1):
        knowledge = Knowledge(points=(points, moved), points_weight=weight)
        result = register(flat, flat, config=config, refine=60, knowledge=knowledge)
        apart = result.transform.map_points(points) - moved
        errors.append(np.linalg.norm(apart, axis=1).mean())
        assert all(stage.kept for stage in result.report.stages)
    assert errors[0] > 1.0
    assert errors[1] < 0.3


def test_stiffness_scales_the_smoothness(rng):
    shape = (64, 56)
    moving = Image(ndimage.gaussian_filter(rng.normal(size=shape), 3), np.eye(3))
    bumps = rng.normal(0, 1.5, (12, 11, 2))
    bend = BSpline(bumps, np.diag([8.0, 8.0, 1]) - 12 * np.eye(3, k=2))
    fixed = Transform((bend,)).resample(moving, moving)
    config = make_config(
        2, [spline([8, 8], bending_energy=0.3)], intensity={"clip_percentiles": None}
    )
    roughness = []
    for stiffness in (0.0, 1.0, 100.0):
        found = register(fixed, moving, config=config, refine=60, stiffness=stiffness)
        field = found.displacement
        roughness.append(sum(np.diff(field, 2, axis=axis).var() for axis in (0, 1)) / 2)
    assert roughness[0] > 1.05 * roughness[1] > 5 * roughness[2]
    plain = register(fixed, moving, config=config, refine=60).displacement
    again = register(fixed, moving, config=config, refine=60, stiffness=1.0)
    np.testing.assert_array_equal(again.displacement, plain)


def test_what_cannot_be_known_is_refused(rng):
    image = Image(ndimage.gaussian_filter(rng.normal(size=SIZES[2]), 2), affine_of(2))
    config = make_config(2, [spline([8, 8])])
    points = world(rng, 2, 4)
    ones, twos = (image.with_array(np.full(SIZES[2], n)) for n in (1, 2))
    for known, message in (
        ({}, "needs points or labels"),
        ({"points": (points, points[:3])}, r"as many .*\(4, 2\) and \(3, 2\)"),
        ({"points": (points, points * np.nan)}, "as many finite ones"),
        ({"points": (points, points), "points_weight": 0}, "points_weight: must be a"),
        ({"labels": (ones, ones), "labels_weight": -1}, "labels_weight: must be a"),
    ):
        with pytest.raises(InputError, match=message):
            Knowledge(**known)
    three = np.column_stack([points, points[:, 0]])
    for known, message in (
        ({"points": (three, three)}, r"of 2-d images, they must have 2 .*Received: 3"),
        ({"labels": (ones, twos)}, "no label in common"),
    ):
        with pytest.raises(InputError, match=message):
            register(image, image, config=config, knowledge=Knowledge(**known))
    for stiffness in (-1.0, np.nan):
        with pytest.raises(InputError, match="stiffness: must be a number from 0"):
            register(image, image, config=config, stiffness=stiffness)
    with pytest.raises(InputError, match="stages that can bend, of which the config h"):
        register(image, image, config=load_config("rigid-2d"), stiffness=2.0)
