"""register(): what the model says, in the world, on any two grids."""

import itertools

import keras
import numpy as np
import pytest
from random_models import random_model
from scipy import ndimage
from storage import store_otherwise

from dlir_tf.config import Config
from dlir_tf.errors import InputError
from dlir_tf.images import Image, read_image
from dlir_tf.images.background import chosen_fill_value
from dlir_tf.models.folder import make_model, model_inputs
from dlir_tf.models.model import build_model
from dlir_tf.models.parameters import Parameters
from dlir_tf.models.world import build_transform
from dlir_tf.numerics import UNCOMPILED
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.registration import register

SHAPES = {2: (24, 16), 3: (16, 24, 6)}
SPACINGS = {2: (1.3, 0.8), 3: (1.3, 0.8, 6.0)}
FOUR_VOXELS = {
    "transform": "bspline",
    "downsample": [1, 1, 1],
    "control_point_spacing": [4, 4, 4],
}


def _config(ndim, **fields):
    thin = {2: [8, 8], 3: [8, 8, 1]}[ndim]
    fine = {2: [4, 4], 3: [4, 4, 1]}[ndim]
    shared = {"downsample": 1, "filters": [4, 4, 4], "transform": "bspline"}
    affine = {"transform": "affine", "feature_spacing": thin, "dense_units": [8]}
    defaults = {
        "ndim": ndim,
        "spacing": [None] * ndim,
        "stages": [
            shared | affine,
            shared | {"control_point_spacing": thin},
            shared | {"control_point_spacing": fine},
        ],
    }
    return Config.model_validate(defaults | fields)


def _model(ndim, *, random=False, **fields):
    keras.utils.set_random_seed(7)
    config = _config(ndim, **fields)
    if random:
        return random_model(config, np.random.default_rng(7), added=False)
    return make_model(config, build_model(config))


@pytest.fixture(scope="module")
def models():
    """Untrained and random ones, made when first asked for."""
    made = {}

    def get(ndim, random):
        key = (ndim, random)
        if key not in made:
            made[key] = _model(ndim, random=random)
        return made[key]

    return get


def _affine(ndim, spacing=None, angle=0.3, origin=(-31.0, 12.5, 70.0)):
    """Oblique, but in RAS order already."""
    affine = np.eye(ndim + 1)
    cosine, sine = np.cos(angle), np.sin(angle)
    affine[:2, :2] = [[cosine, -sine], [sine, cosine]]
    affine[:-1, :-1] *= spacing or SPACINGS[ndim]
    affine[:-1, -1] = origin[:ndim]
    return affine


def _image(rng, shape, affine, dtype=np.float32):
    array = ndimage.gaussian_filter(rng.normal(size=shape), 1.2)
    return Image((1000 * array / np.abs(array).max()).astype(dtype), affine)


@pytest.mark.parametrize("ndim", [2, 3])
def test_stages_of_the_refinement_are_there_where_it_refines(rng, ndim):
    """And no network answers for them."""
    further = {"transform": "bspline", "downsample": 1, "control_point_spacing": 2}
    model = _model(ndim, refinement={"stages": [further], "learning_rate": 0.1})
    affine = _affine(ndim)
    moving = _image(rng, SHAPES[ndim], affine)
    fixed = moving.with_array(np.roll(moving.array, 1, axis=0))
    shot = register(fixed, moving, model=model)
    assert [stage.number for stage in shot.report.stages] == [1, 2, 3]
    result = register(fixed, moving, model=model, refine=120)
    numbers = [stage.number for stage in result.report.stages]
    again = len(model.config.stages_again)
    assert numbers == list(range(1, 3 + again + 2))
    assert result.report.stages[-1].kept
    first, *_ = result.transform.components
    steps = np.linalg.norm(first.lattice[:-1, :-1], axis=0)
    np.testing.assert_allclose(steps, 2 * np.array(SPACINGS[ndim]))
    assert np.abs(first.control_points).max() > 0
    assert result.report.similarity_after > shot.report.similarity_after


@pytest.mark.parametrize("dtype", [np.int16, np.float32, ">u2"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_an_untrained_model_gives_the_moving_image_back(rng, models, ndim, dtype):
    """Exactly, also where the grid has to be padded."""
    shape = tuple(n - 3 for n in SHAPES[ndim])
    affine = _affine(ndim)
    fixed = _image(rng, shape, affine)
    moving = _image(rng, shape, affine, np.float32)
    moving = moving.with_array(np.abs(moving.array).astype(dtype))
    result = register(fixed, moving, model=models(ndim, False))
    assert result.moved.array.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(result.moved.array, moving.array)
    np.testing.assert_array_equal(result.moved.affine, fixed.affine)
    assert np.abs(result.displacement).max() < 1e-9
    assert result.seconds > 0


def test_pairs_on_different_grids_come_back_on_the_fixed_one(rng, models):
    """A linear image, asked for at the places of another grid's voxels."""
    fixed = _image(rng, (19, 21, 6), _affine(3))
    affine = _affine(3, (1.0, 1.7, 4.1), -0.4, (-45.0, -15.0, 60.0))
    shape = (40, 38, 14)
    weights = np.array([2.0, -3.0, 1.5])

    def world(image_affine, size):
        voxels = np.moveaxis(np.indices(size), 0, -1)
        return voxels @ image_affine[:3, :3].T + image_affine[:3, 3]

    moving = Image(world(affine, shape) @ weights, affine)
    result = register(fixed, moving, model=models(3, False), fill_value=-999)
    inside = result.moved.array != -999
    assert inside.mean() > 0.5
    points = world(fixed.affine, fixed.shape)
    position = (points - affine[:3, 3]) @ np.linalg.inv(affine[:3, :3]).T
    inner = ((position >= 0) & (position <= np.array(shape) - 1)).all(axis=-1)
    assert inner.sum() > 500
    assert inside[inner].all()
    expected = points[inner] @ weights
    np.testing.assert_allclose(result.moved.array[inner], expected, atol=1e-3)


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_displacement_is_what_the_model_itself_gives(rng, models, ndim):
    """Its field is in voxels of the working grid, ours in mm of the world."""
    model = models(ndim, True)
    affine = _affine(ndim)
    fixed, moving = (_image(rng, SHAPES[ndim], affine) for _ in range(2))
    result = register(fixed, moving, model=model, do_no_harm=False)
    pair = prepare_pair(fixed, moving, model.config)
    np.testing.assert_allclose(pair.grid.affine, affine, atol=1e-9)
    ddf = keras.ops.convert_to_numpy(model.network(model_inputs(pair))["ddf"])[0]
    assert np.abs(ddf).max() > 1
    expected = ddf @ affine[:-1, :-1].T
    # The model interpolates one field within the other; the transform doesn't.
    error = np.abs(result.displacement - expected).max(axis=-1)
    assert error.max() < 0.05 * np.abs(expected).max()
    assert np.median(error) < 0.005 * np.abs(expected).max()
    surroundings = chosen_fill_value("auto", moving)
    again = result.transform.resample(moving, fixed, fill_value=surroundings)
    # The displacement at hand was in single precision.
    np.testing.assert_allclose(result.moved.array, again.array, atol=1e-3)


@pytest.mark.parametrize("ndim", [2, 3])
def test_storage_does_not_matter(rng, models, ndim):
    """Axes permuted or flipped in the files: the same result in the world."""
    model = models(ndim, True)
    fixed = _image(rng, tuple(n - 1 for n in SHAPES[ndim]), _affine(ndim))
    moving = _image(rng, SHAPES[ndim], _affine(ndim, angle=0.2))
    expected = register(fixed, moving, model=model, do_no_harm=False).moved
    assert np.abs(expected.array - moving.array[: len(expected.array)].mean()).any()
    storages = list(
        itertools.product(
            itertools.permutations(range(ndim)),
            itertools.product((0, 1), repeat=ndim),
        )
    )
    for number in range(0, len(storages), 5):
        stored_fixed = store_otherwise(fixed, *storages[number])
        stored_moving = store_otherwise(moving, *storages[-1 - number])
        result = register(stored_fixed, stored_moving, model=model, do_no_harm=False)
        wanted = store_otherwise(expected, *storages[number])
        np.testing.assert_allclose(result.moved.affine, stored_fixed.affine)
        np.testing.assert_allclose(result.moved.array, wanted.array, atol=0.05)


def test_the_result_has_the_fixed_header_and_the_moving_type(rng, models, tmp_path):
    import nibabel as nib

    affine = np.eye(4)
    affine[:3] = _affine(3)[:3]
    for name, dtype in (("fixed", np.float32), ("moving", np.uint8)):
        array = rng.integers(0, 200, SHAPES[3]).astype(dtype)
        file = nib.Nifti1Image(array, affine)
        file.header["descrip"] = name.encode()
        nib.save(file, tmp_path / f"{name}.nii")
    fixed, moving = (read_image(tmp_path / f"{n}.nii") for n in ("fixed", "moving"))
    moved = register(fixed, moving, model=models(3, True), do_no_harm=False).moved
    assert moved.header["descrip"].item() == b"fixed"
    assert moved.array.dtype == np.uint8


def test_the_initial_alignment_is_part_of_the_transform(rng, models):
    affine = _affine(2)
    fixed = _image(rng, SHAPES[2], affine)
    far = affine.copy()
    far[:2, 2] += [400.0, -250.0]
    moving = Image(fixed.array, far)
    with pytest.raises(InputError, match="don't overlap"):
        register(fixed, moving, model=models(2, False))
    model = _model(2, initial_alignment="centers")
    result = register(fixed, moving, model=model)
    np.testing.assert_allclose(result.moved.array, fixed.array, atol=0.1)
    shift = np.broadcast_to([400.0, -250.0], result.displacement.shape)
    np.testing.assert_allclose(result.displacement, shift, atol=1e-4)


@pytest.mark.parametrize("method", ["centers", "mass"])
def test_another_initial_alignment_than_the_config_s_can_be_asked_for(
    rng, models, method
):
    model = models(3, False)
    fixed = _image(rng, (9, 14, 5), _affine(3))
    fixed = fixed.with_array(np.abs(fixed.array))
    shift = np.array([300.0, -200.0, 90.0])
    far = fixed.affine.copy()
    far[:3, 3] += shift
    moving = Image(fixed.array, far)
    with pytest.raises(InputError, match="don't overlap"):
        register(fixed, moving, model=model)
    result = register(fixed, moving, model=model, initial_alignment=method)
    origin_moved = result.transform.map_points(np.zeros((1, 3)))
    np.testing.assert_allclose(origin_moved, [shift], atol=1e-6)
    assert model.config.initial_alignment == "header"
    with pytest.raises(InputError, match="must be header, centers, mass, search"):
        register(fixed, moving, model=model, initial_alignment="brute")


TINY = [(1, 5), (3, 2), (2, 1, 1), (1, 7, 3), (2, 3, 5)]


@pytest.mark.parametrize("shape", TINY)
def test_tiny_images_are_registered(rng, models, shape):
    """Also where a grid is one to three voxels wide, in either image."""
    ndim = len(shape)
    affine = _affine(ndim)
    fixed, moving = (_image(rng, shape, affine) for _ in range(2))
    moved = register(fixed, moving, model=models(ndim, False)).moved
    np.testing.assert_array_equal(moved.array, moving.array)
    large = _image(rng, SHAPES[ndim], affine)
    moved = register(large, moving, model=models(ndim, False), fill_value=-9).moved
    corner = tuple(slice(n) for n in shape)
    np.testing.assert_array_equal(moved.array[corner], moving.array)
    assert (moved.array != -9).sum() == moving.array.size
    moved = register(moving, large, model=models(ndim, False)).moved
    np.testing.assert_array_equal(moved.array, large.array[corner])
    result = register(fixed, moving, model=models(ndim, True), do_no_harm=False)
    assert np.isfinite(result.displacement).all()
    assert result.transform.jacobian_determinant(fixed).shape == shape


def test_a_single_voxel_is_refused(rng, models):
    image = Image(np.ones((1, 1, 1), np.float32), _affine(3))
    with pytest.raises(InputError, match="is constant"):
        register(image, image, model=models(3, False))


def _lying_in(plane, image, axis, depth):
    """A 2-d image as a slice of the world, its axis of length 1 at a place."""
    affine = np.eye(4)
    affine[np.ix_([0, 1, 3], [0, 1, 3])] = image.affine
    affine[2, 2:] = 8.0, depth
    order = np.insert([0, 1], axis, 2)
    stored = plane @ affine
    stored[:, :3] = stored[:, order]
    return Image(np.expand_dims(image.array, axis), stored)


def test_slices_at_an_angle_are_registered_in_their_plane(rng, models):
    """As their 2-d images would be, and the result is in the world."""
    flat_fixed = _image(rng, (23, 13), _affine(2))
    flat_moving = _image(rng, (21, 16), _affine(2, (1.4, 1.1), 0.2), np.int16)
    own = {"model": models(2, True), "fill_value": -9, "do_no_harm": False}
    flat = register(flat_fixed, flat_moving, **own)
    turn, _ = np.linalg.qr(np.eye(3) + 0.2 * rng.normal(size=(3, 3)))
    turn *= np.sign(np.diag(turn))
    plane = np.eye(4)
    plane[:3, :3] = turn
    # The slice's own coordinates are turned in the plane; the model's axes aren't.
    fixed = _lying_in(plane, flat_fixed, 1, 40.0)
    moving = _lying_in(plane, flat_moving, 0, 52.0)
    result = register(fixed, moving, **own)
    assert result.moved.shape == (23, 1, 13)
    assert result.moved.array.dtype == np.int16
    np.testing.assert_array_equal(result.moved.affine, fixed.affine)
    assert np.abs(flat.moved.array - result.moved.array[:, 0]).max() <= 1
    expected = np.full((23, 13, 3), 12.0)
    expected[..., :2] = flat.displacement
    assert np.abs(flat.displacement).max() > 1
    np.testing.assert_allclose(
        result.displacement[:, 0], expected @ turn.T, rtol=0, atol=1e-3
    )


def test_a_slice_and_what_is_none_are_refused(rng, models):
    thin = _image(rng, (24, 16, 1), _affine(3))
    for other in (
        _image(rng, SHAPES[2], _affine(2)),
        _image(rng, (24, 16, 2), _affine(3)),
    ):
        for pair in ((thin, other), (other, thin)):
            with pytest.raises(InputError, match="give two slices"):
                register(*pair, model=models(2, False))
    turned = Image(thin.array.transpose(0, 2, 1), thin.affine)
    with pytest.raises(InputError, match="90 degrees apart"):
        register(thin, turned, model=models(2, False))


def test_an_image_of_another_rank_is_refused(rng, models):
    flat = _image(rng, SHAPES[2], _affine(2))
    solid = _image(rng, SHAPES[3], _affine(3))
    with pytest.raises(InputError, match=r"is 2-d, of shape \(24, 16\), but the model"):
        register(flat, flat, model=models(3, False))
    with pytest.raises(InputError, match="the moving image is 3-d"):
        register(flat, solid, model=models(2, False))


class _Known:
    """A predictor that no network is behind."""

    numerics, shape, provenance = UNCOMPILED, None, {}

    def __init__(self, config, parameters):
        self.config = config
        self._parameters = parameters

    def predict(self, pair):
        assert pair.fixed.shape == pair.grid.shape
        return self._parameters


def test_whatever_knows_the_parameters_can_register(rng):
    """A shift by the affine stage after one by the splines, in voxels."""
    image = _image(rng, SHAPES[3], np.diag([1.3, 0.8, 6.0, 1.0]))
    matrix = np.eye(3, 4)
    matrix[:, -1] = 2.0, 0.0, 0.0
    shift = np.broadcast_to([0.0, -1.0, 0.0], (8, 10, 6, 3))
    parameters = Parameters(matrix, {"control_points_2": shift})
    affine = _config(3).stages[0].model_dump()
    config = _config(3, stages=[affine, FOUR_VOXELS])
    result = register(image, image, model=_Known(config, parameters), do_no_harm=False)
    expected = np.broadcast_to([2 * 1.3, -0.8, 0.0], result.displacement.shape)
    np.testing.assert_allclose(result.displacement, expected, atol=1e-5)
    np.testing.assert_allclose(
        result.moved.array[:-2, 1:], image.array[2:, :-1], atol=1e-2
    )


def _known_2d(shift, spoil, image):
    """The affine stage shifts by voxels, the splines then by others."""
    spline = FOUR_VOXELS | {"downsample": 1, "control_point_spacing": 4}
    config = _config(2, stages=[_config(2).stages[0].model_dump(), spline])
    matrix = np.column_stack([np.eye(2), shift])
    lattice = [n // 4 + 4 for n in image.shape if n > 1]
    points = np.broadcast_to(np.array(spoil, float), (*lattice, 2))
    return _Known(config, Parameters(matrix, {"control_points_2": points}))


def _shifted_pair(rng, affine):
    """A texture, and the same further on by two voxels along the first axis."""
    texture = np.pad(_image(rng, (20, 16), affine).array, ((8, 8), (4, 4)))
    return Image(texture[4:-4].copy(), affine), Image(texture[2:-6].copy(), affine)


def test_a_stage_that_does_harm_is_no_part_of_the_result(rng):
    fixed, moving = _shifted_pair(rng, np.diag([1.5, 0.8, 1.0]))
    model = _known_2d([2.0, 0.0], [0.0, 3.0], fixed)
    result = register(fixed, moving, model=model)
    np.testing.assert_allclose(result.displacement[..., 0], 2 * 1.5, atol=1e-6)
    np.testing.assert_allclose(result.displacement[..., 1], 0, atol=1e-6)
    assert len(result.transform.components) == 1
    report = result.report
    assert report.verdict == "WARN"
    assert report.reasons[0].startswith("stage 2 (bspline) was left out: it makes")
    assert [stage.kept for stage in report.stages] == [True, False]
    assert report.largest_displacement == pytest.approx(3.0)
    assert report.overlap_percent == pytest.approx(100 * 26 / 28)
    assert report.affine_scales == pytest.approx((1.0, 1.0))
    assert report.seconds == result.seconds
    whole = register(fixed, moving, model=model, do_no_harm=False)
    np.testing.assert_allclose(whole.displacement[..., 1], 3 * 0.8, atol=1e-6)
    assert whole.report.verdict == "FAIL"
    assert "less alike than before" in whole.report.reasons[0]


def test_a_registration_that_only_harms_is_the_initial_alignment(rng):
    fixed, _ = _shifted_pair(rng, np.diag([1.5, 0.8, 1.0]))
    far = np.array([[1.5, 0, 700.0], [0, 0.8, -90.0], [0, 0, 1]])
    moving = Image(fixed.array, far)
    model = _known_2d([2.0, 0.0], [0.0, 3.0], fixed)
    result = register(fixed, moving, model=model, initial_alignment="centers")
    np.testing.assert_allclose(result.moved.array, fixed.array, atol=1e-3)
    report = result.report
    assert (report.verdict, report.initial_alignment) == ("WARN", "centers")
    np.testing.assert_allclose(report.initial_shift, [700, -90])
    assert report.largest_displacement == pytest.approx(0, abs=1e-3)
    assert "the result is the initial alignment alone" in report.reasons[-1]


def test_slices_are_judged_in_their_plane(rng):
    """Each lies 12 mm from the other, which is no displacement of the model's."""
    flat_fixed, flat_moving = _shifted_pair(rng, np.diag([1.5, 0.8, 1.0]))
    fixed = _lying_in(np.eye(4), flat_fixed, 2, 40.0)
    moving = _lying_in(np.eye(4), flat_moving, 2, 52.0)
    mask = fixed.with_array(np.ones(fixed.shape, bool))
    model = _known_2d([2.0, 0.0], [0.0, 3.0], flat_fixed)
    result = register(fixed, moving, model=model, fixed_mask=mask)
    np.testing.assert_allclose(result.displacement[:, :, 0, 0], 3.0, atol=1e-4)
    np.testing.assert_allclose(result.displacement[:, :, 0, 2], 12.0, atol=1e-4)
    report = result.report
    assert [stage.kept for stage in report.stages] == [True, False]
    assert report.largest_displacement == pytest.approx(3.0, abs=1e-4)
    np.testing.assert_allclose(report.initial_shift, [0, 0, 12], atol=1e-6)
    assert report.overlap_percent == pytest.approx(100 * 26 / 28)
    assert report.smallest_jacobian == pytest.approx(1, abs=1e-4)
    assert report.masks == ("fixed_mask",)


def test_masks_say_what_counts_when_stages_are_judged(rng):
    """An artefact that doesn't move along speaks against the true shift."""
    fixed, moving = _shifted_pair(rng, np.diag([1.5, 0.8, 1.0]))
    inside = np.ones(fixed.shape, bool)
    inside[:, :8] = False
    for image in (fixed, moving):
        image.array[10:16, 2:6] = 9000.0
    mask = fixed.with_array(inside)
    model = _known_2d([2.0, 0.0], [0.0, 0.0], fixed)
    blind = register(fixed, moving, model=model)
    assert not blind.report.stages[0].kept
    for names in (("fixed_mask",), ("moving_mask",), ("fixed_mask", "moving_mask")):
        masks = dict.fromkeys(names, mask)
        seeing = register(fixed, moving, model=model, **masks)
        assert seeing.report.stages[0].kept
        assert seeing.report.masks == names
    finer = Image(np.kron(inside, np.ones((2, 2), bool)), _halved(fixed.affine))
    for name in ("fixed_mask", "moving_mask"):
        with pytest.warns(UserWarning, match=f"{name}: the mask lies on another grid"):
            seeing = register(fixed, moving, model=model, **{name: finer})
        assert seeing.report.stages[0].kept
    for wrong, message in (
        (Image(inside[1:], fixed.affine + 900 * np.eye(3, k=2)), "must lie where"),
        (Image(inside, fixed.affine + 9 * np.eye(3, k=2)), "lie elsewhere than"),
        (Image(inside[1:, :, None], np.eye(4)), "must have their image's shape"),
    ):
        with pytest.raises(InputError, match=f"moving_mask: masks {message}"):
            register(fixed, moving, model=model, moving_mask=wrong)


def _halved(affine):
    """The place of an image whose voxels are cut in half along each axis."""
    halves = np.diag([*np.full(len(affine) - 1, 0.5), 1.0])
    halves[:-1, -1] = -0.25
    return affine @ halves


def test_numbers_that_are_not_finite_are_no_result(rng):
    image = _image(rng, SHAPES[2], _affine(2))
    config = _config(2)
    pair = prepare_pair(image, image, config)
    parameters = Parameters(np.full((2, 3), np.nan), {})
    with pytest.raises(InputError, match="aren't finite"):
        build_transform(pair, parameters, config)
