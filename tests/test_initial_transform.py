"""A registration that starts from a transform: seen through it, judged with it."""

import itk_judge as judge
import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

from dlir_tf.automatic import choose_for_pair
from dlir_tf.config import Config, load_config
from dlir_tf.errors import InputError
from dlir_tf.images import Grid, Image
from dlir_tf.pairs.preprocessing import prepare_pair
from dlir_tf.registration import register
from dlir_tf.transforms import Affine, BSpline, DenseField, Transform


def _config(ndim, *, cells=8, spacing=None, **fields):
    stage = {"transform": "bspline", "downsample": 1, "control_point_spacing": cells}
    spacing = spacing or [None] * ndim
    stages = {"stages": [stage], "refinement": {"steps": 60}}
    return Config.model_validate({"ndim": ndim, "spacing": spacing, **stages, **fields})


def _smooth(rng, shape, sigma, size):
    field = ndimage.gaussian_filter(rng.normal(size=shape), sigma)
    return size * field / np.abs(field).max()


def _oblique(ndim, spacing, origin, angle=0.3):
    affine = np.eye(ndim + 1)
    cosine, sine = np.cos(angle), np.sin(angle)
    affine[:2, :2] = [[cosine, -sine], [sine, cosine]]
    affine[:-1, :-1] *= spacing[:ndim]
    affine[:-1, -1] = origin[:ndim]
    return affine


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_moving_image_is_seen_through_the_transform(ndim, rng):
    """SimpleITK resamples it through the same chain of splines and matrices."""
    parameters = judge.random_parameters(rng, ndim, 2, size=0.2)
    frame = judge.reference_within(
        rng, parameters.grid, judge.SPACINGS[ndim], judge.FIXED[ndim]
    )
    fixed = judge.random_image(rng, frame.shape, frame.affine)
    # Voxels as large as those of the grid, or larger: nothing is smoothed.
    wide = (1.1 * max(judge.SPACINGS[ndim]),) * ndim
    place = judge.reference_within(rng, parameters.grid, wide, judge.MOVING[ndim])
    moving = judge.random_image(rng, place.shape, place.affine)
    start = parameters.ours()
    labels = moving.with_array(np.rint(moving.array).astype(np.int16))
    config = _config(ndim, cells=4, intensity={"clip_percentiles": None})
    pair = prepare_pair(fixed, moving, config, initial_transform=start)
    reference = judge.sitk_image(Image(pair.fixed, pair.grid.affine))
    itk = parameters.itk()
    scaled = moving.with_array((moving.array / 100).astype(np.float32))
    expected = sitk.Resample(judge.sitk_image(scaled), reference, itk)
    expected = sitk.GetArrayFromImage(expected).T
    inner = pair.mask & ndimage.binary_erosion(pair.mask, border_value=1)
    assert inner.sum() > 50
    np.testing.assert_allclose(pair.moving[inner], expected[inner], atol=2e-4)
    nearest = sitk.Resample(
        judge.sitk_image(labels), reference, itk, sitk.sitkNearestNeighbor
    )
    taken = pair.labels_on_grid((fixed, labels))[1]
    assert np.mean(taken == sitk.GetArrayFromImage(nearest).T) > 0.995
    points = judge.points_within(rng, fixed, beyond=-0.25)
    voxels = pair.points_in_voxels((points, judge.itk_map(itk, points)))
    np.testing.assert_allclose(*voxels, atol=1e-3)


@pytest.mark.parametrize("ndim", [2, 3])
def test_what_is_left_is_found_and_the_result_holds_all(ndim, rng):
    """A large known deformation; the start knows nine tenths of it."""
    shape, spacing = (40, 36, 24)[:ndim], (1.2, 1.5, 2.0)
    affine = _oblique(ndim, spacing, (-40.0, 10.0, 90.0))
    moving = Image(_smooth(rng, shape, 2.0, 1.0).astype(np.float32), affine)
    field = np.stack([_smooth(rng, shape, 7.0, 6.0) for _ in shape], axis=-1)
    truth = Transform((DenseField(field, affine),))
    fixed = truth.resample(moving, Grid(shape, affine))
    start = Transform((DenseField(0.8 * field, affine),))
    config = _config(ndim)
    result = register(fixed, moving, config=config, initial_transform=start)
    inner = (slice(6, -6),) * ndim
    missing = np.linalg.norm(0.2 * field, axis=-1)[inner].mean()
    off = np.linalg.norm(result.displacement - field, axis=-1)[inner].mean()
    assert off < 0.5 * missing
    assert result.report.initial_alignment == "transform"
    # What it moves beyond the start is all that counts as its own.
    assert result.report.mean_displacement < 0.25 * np.linalg.norm(field, axis=-1).max()
    exact = start.map_points(fixed.grid.centre[None]) - fixed.grid.centre
    np.testing.assert_allclose(result.report.initial_shift, exact[0], atol=1e-9)


def test_a_start_of_matrices_is_what_the_alignment_would_be(rng):
    """To the last bit: the same voxels, and the same transform."""
    affine = _oblique(3, (1.2, 1.5, 2.0), (5.0, -7.0, 30.0))
    fixed = Image(_smooth(rng, (24, 20, 12), 2.0, 1.0).astype(np.float32), affine)
    far = affine.copy()
    far[:3, 3] += (200.0, -30.0, 8.0)
    moving = Image(np.roll(fixed.array, 2, axis=0), far)
    config = _config(3, cells=4, initial_alignment="centers")
    expected = register(fixed, moving, config=config, refine=20)
    steps = [np.eye(4), np.eye(4)]
    for step, shift in zip(steps, ((150.0, 0, 0), (50.0, -30.0, 8.0)), strict=True):
        step[:3, 3] = shift
    start = Transform(tuple(map(Affine, steps)))
    result = register(fixed, moving, config=config, refine=20, initial_transform=start)
    np.testing.assert_allclose(result.displacement, expected.displacement, atol=1e-4)
    assert result.report.similarity_after == pytest.approx(
        expected.report.similarity_after, abs=1e-6
    )


def test_what_only_harms_leaves_the_start_and_folds_are_those_of_the_whole(rng):
    """Images that have nothing in common; and a start that folds."""
    affine = np.diag([1.0, 1.0, 1.0])
    fixed = Image(_smooth(rng, (32, 32), 2.0, 1.0).astype(np.float32), affine)
    x = np.indices(fixed.shape)[0]
    field = np.zeros((32, 32, 2))
    field[..., 0] = -9.0 * np.exp(-0.5 * ((x - 16) / 3.0) ** 2)
    start = Transform((DenseField(field, affine),))
    moved = start.resample(fixed, fixed)
    result = register(
        moved, fixed, config=_config(2), refine=1, initial_transform=start
    )
    np.testing.assert_allclose(result.displacement, field, atol=1e-5)
    np.testing.assert_allclose(result.moved.array, moved.array, atol=1e-5)
    determinant = 1 + np.gradient(field[..., 0], axis=0)
    folded = 100 * np.mean(determinant <= 0)
    assert folded > 5
    assert result.report.folded_percent == pytest.approx(folded, abs=0.5)
    assert result.report.verdict == "FAIL"
    pair = prepare_pair(moved, fixed, _config(2), initial_transform=start)
    from dlir_tf.quality.comparison import Comparison

    comparison = Comparison(pair, _config(2))
    still = comparison.judge(comparison.start())
    assert still.smallest_jacobian == pytest.approx(determinant.min(), abs=0.02)
    three = np.array([[1, 0, 0], [0, 1, 3.0]])
    # Three voxels further along, it is the start's fold there that counts.
    shifted = comparison.with_matrix(comparison.start(), three)
    assert comparison.judge(shifted).folded_percent == pytest.approx(folded, abs=1.0)


def test_two_ways_to_start_and_what_does_not_fit_are_refused(rng):
    image = Image(_smooth(rng, (32, 28), 2.0, 1.0), np.diag([1.0, 1.2, 1.0]))
    start = Transform((Affine(np.eye(3)),))
    with pytest.raises(InputError, match="exclude each other"):
        register(
            image,
            image,
            config=_config(2),
            initial_alignment="mass",
            initial_transform=start,
        )
    wide = Transform((Affine(np.eye(4)),))
    with pytest.raises(InputError, match="must be 2-d, as what is registered"):
        register(image, image, config=_config(2), initial_transform=wide)
    with pytest.raises(InputError, match="must be 2-d, as what is registered"):
        register(image, image, initial_transform=wide)
    far = np.eye(3)
    far[:2, 2] = 500.0
    with pytest.raises(InputError, match="its inverse may be what is meant"):
        register(
            image, image, config=_config(2), initial_transform=Transform((Affine(far),))
        )


def test_headers_that_do_not_overlap_are_no_fault_of_a_transform(rng):
    """Nobody has given one where settings are chosen by the images."""
    fixed = Image(_smooth(rng, (32, 28), 2.0, 1.0), np.diag([1.0, 1.2, 1.0]))
    far = fixed.affine + 500.0 * np.eye(3, k=2)
    moving = Image(fixed.array, far)
    with pytest.raises(
        InputError, match=r"don't overlap in the world: .* 500 mm apart"
    ):
        register(fixed, moving, initial_alignment="header")


def test_slices_take_a_transform_in_their_plane(rng):
    """Two millimetres along the plane's first axis, which is the world's second."""
    array = _smooth(rng, (32, 28), 2.0, 1.0).astype(np.float32)
    affine = np.array([[0, 0, 5.0, 7], [1, 0, 0, 0], [0, 1.2, 0, 0], [0, 0, 0, 1]])
    moving = Image(array[..., None], affine)
    fixed = Image(np.roll(array, -2, axis=0)[..., None], affine)
    shift = np.eye(3)
    shift[0, 2] = 2.0
    start = Transform((Affine(shift),))
    result = register(
        fixed, moving, config=_config(2, cells=4), refine=1, initial_transform=start
    )
    np.testing.assert_allclose(result.moved.array[:-2], fixed.array[:-2], atol=1e-3)
    np.testing.assert_allclose(result.report.initial_shift, [0, 2, 0], atol=1e-9)
    turn = np.eye(4)  # of the world, and of more than the plane's points
    turn[0, 2], turn[1, 3] = 0.3, 2.0
    again = register(
        fixed,
        moving,
        config=_config(2, cells=4),
        refine=1,
        initial_transform=Transform((Affine(turn),)),
    )
    np.testing.assert_array_equal(again.moved.array, result.moved.array)
    field = DenseField(np.zeros((32, 28, 2)), np.eye(3))
    with pytest.raises(InputError, match="matrices and B-splines"):
        register(
            fixed,
            moving,
            config=_config(2, cells=4),
            initial_transform=Transform((field,)),
        )


def _slices(rng, height):
    """Two oblique slices, some millimetres above each other, of what moves in them."""
    tilt = np.array([[1, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]])
    places = []
    for shift in (0.0, height):
        affine = np.eye(4)
        affine[:3, :3] = tilt @ _oblique(3, (1.3, 1.1, 5.0), (0, 0, 0))[:3, :3]
        affine[:3, 3] = np.array([3.0, -20, 11]) + shift * affine[:3, 2] / 5
        places.append(affine)
    array = _smooth(rng, (46, 42), 3.0, 900.0).astype(np.float32)
    moved = ndimage.shift(array, (1.6, -1.2), order=3, mode="nearest")
    return Image(array[..., None], places[0]), Image(moved[..., None], places[1])


@pytest.mark.parametrize("stages", ["rigid", "bspline"])
def test_slices_go_on_from_what_was_found_between_them(rng, stages):
    """The transform of their registration is 3-d, and so is what comes beyond it."""
    fixed, moving = _slices(rng, height=7.0)
    config = _config(2)
    if stages == "rigid":
        config = load_config("rigid-2d")
    first = register(fixed, moving, config=config, refine=15)
    config = _config(2, cells=4)
    second = register(
        fixed, moving, config=config, refine=5, initial_transform=first.transform
    )
    assert second.transform.ndim == 3
    before, after = (r.report.similarity_after for r in (first, second))
    assert second.report.similarity_before == pytest.approx(before, abs=0.02)
    assert after >= second.report.similarity_before
    points = fixed.grid.points().reshape(-1, 3)
    both = first.transform.compose(second.beyond_initial).map_points(points)
    whole = second.transform.map_points(points)
    np.testing.assert_allclose(both, whole, atol=1e-4)
    height = (whole - moving.affine[:3, 3]) @ moving.affine[:3, 2]
    np.testing.assert_allclose(height, 0, atol=1e-4)
    by_images = choose_for_pair(fixed, moving, initial_transform=first.transform)
    assert by_images.start.transform.ndim == 2


def test_a_field_across_slices_is_no_start(rng):
    fixed, moving = _slices(rng, height=0.0)
    points = rng.normal(size=(5, 5, 4, 3))
    lattice = fixed.affine @ np.diag([20.0, 20, 1, 1])
    lattice[:3, 3] -= lattice[:3, :3] @ [1, 1, 1.5]
    spline = Transform((BSpline(points, lattice),))
    with pytest.raises(InputError, match="must be one of their plane"):
        register(fixed, moving, config=_config(2), initial_transform=spline)
