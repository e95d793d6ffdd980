"""What a peer found must be the same map as our Transform, or its figures are wrong."""

import numpy as np
import pytest
from comparison import ants_syn, elastix
from itk_judge import points_within, random_frame
from scipy import ndimage

from dlir_tf.images import Image, flip_ras_lps
from dlir_tf.transforms import Affine, Transform

SHAPE = {2: (41, 37), 3: (31, 33, 25)}
SPACING = {2: (1.5, 1.1), 3: (1.2, 1.6, 1.9)}


@pytest.fixture
def itk():
    pytest.importorskip("itk", reason="itk-elastix isn't installed")
    return elastix.import_itk()


@pytest.fixture
def ants():
    return pytest.importorskip("ants", reason="antspyx isn't installed")


def known_pair(rng, ndim):
    """Two grids of one scene, and the affine from points of the first to the second."""
    frame = random_frame(rng, SPACING[ndim], 15.0 * np.arange(ndim), SHAPE[ndim])
    fixed = lump(rng, SHAPE[ndim], frame)
    matrix = np.eye(ndim + 1)
    matrix[:-1, :-1] += 0.03 * rng.normal(size=(ndim, ndim))
    centre = frame @ [*(np.asarray(SHAPE[ndim]) - 1) / 2, 1]
    matrix[:-1, -1] = (1.5, -2.0, 1.0)[:ndim] + centre[:-1] - (matrix @ centre)[:-1]
    known = Transform((Affine(matrix),))
    elsewhere = random_frame(
        rng, SPACING[ndim][::-1], (matrix @ centre)[:-1], SHAPE[ndim]
    )
    grid = Image(np.zeros(SHAPE[ndim], np.float32), elsewhere)
    moving = known.inverse().resample(fixed, grid)
    return fixed, moving, known


def lump(rng, shape, frame):
    """Something of uneven brightness in the middle of nothing, as a head is."""
    array = ndimage.gaussian_filter(rng.normal(size=shape), 2.5)
    array = (array - array.min()) / np.ptp(array)
    steps = np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij")
    window = 1 / (1 + np.exp(20 * (np.sqrt(sum(s**2 for s in steps)) - 0.6)))
    return Image((100 * array * window).astype(np.float32), frame)


# No more than a default map must do.
QUICK = {
    "NumberOfResolutions": ["2"],
    "FinalGridSpacingInPhysicalUnits": ["8"],
    "GridSpacingSchedule": ["2", "1"],
}


def iterations(count):
    return {"MaximumNumberOfIterations": [str(count)]}


@pytest.mark.parametrize("ndim", [2, 3])
def test_elastix_answer_is_the_field_that_transformix_makes(
    rng, itk, tmp_path, monkeypatch, ndim
):
    monkeypatch.chdir(tmp_path)  # transformix leaves a file
    fixed, moving, _ = known_pair(rng, ndim)
    settings = {
        "maps": ["translation", "affine", "bspline"],
        "changes": QUICK | iterations(20),
    }
    prepared = elastix.prepare(fixed, moving, settings)
    parameters = prepared.run()
    transform = prepared.transform(parameters)
    kinds = [type(component).__name__ for component in transform.components]
    assert kinds == ["Affine", "Affine", "BSpline"]
    field = itk.transformix_deformation_field(elastix.itk_image(moving), parameters)
    theirs = flip_ras_lps(np.moveaxis(itk.array_from_image(field), -1, 0).T)
    ours = transform.displacement(fixed)
    assert np.ptp(theirs.reshape(-1, ndim), axis=0).min() > 0.1
    np.testing.assert_allclose(ours, theirs, atol=2e-4)


@pytest.mark.parametrize("ndim", [2, 3])
def test_elastix_finds_a_known_affine(rng, itk, ndim):
    fixed, moving, known = known_pair(rng, ndim)
    changes = {"Metric": ["AdvancedMeanSquares"]} | iterations(200)
    settings = {"maps": ["translation", "affine"], "changes": changes}
    prepared = elastix.prepare(fixed, moving, settings)
    found = prepared.transform(prepared.run())
    assert apart(rng, found, known, fixed) < 0.3


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_maps_after_par0011_give_its_lattices(rng, itk, ndim):
    fixed, moving, _ = known_pair(rng, ndim)
    settings = {"maps": ["ncc-coarse", "ncc-fine"], "changes": iterations(2)}
    prepared = elastix.prepare(fixed, moving, settings)
    transform = prepared.transform(prepared.run())
    spacings = [
        np.linalg.norm(component.lattice[:-1, :-1], axis=0)
        for component in transform.components
    ]
    # elastix fits the second one to where the first one takes the image.
    np.testing.assert_allclose(spacings, [[10.0] * ndim, [5.0] * ndim], rtol=0.1)


def test_thick_slices_are_not_shrunk_and_get_no_points_between_them():
    found = elastix.ncc_map("ncc-fine", (1.4, 1.4, 10.0))
    assert found["ImagePyramidSchedule"][:6] == ["4", "4", "1", "3", "3", "1"]
    assert found["FinalGridSpacingInPhysicalUnits"] == ["5.0", "5.0", "10.0"]
    coarse = elastix.ncc_map("ncc-coarse", (1.0, 1.0, 4.0))
    assert coarse["ImagePyramidSchedule"][:6] == ["16", "16", "4", "8", "8", "2"]


@pytest.mark.parametrize("ndim", [2, 3])
def test_ants_finds_a_known_affine_and_moves_as_we_do(rng, ants, ndim):
    fixed, moving, known = known_pair(rng, ndim)
    settings = {
        "type_of_transform": "SyN",
        "reg_iterations": (3, 0),
        "aff_metric": "meansquares",
        "aff_random_sampling_rate": 1.0,
        "aff_iterations": (300, 100),
        "aff_shrink_factors": (2, 1),
        "aff_smoothing_sigmas": (1, 0),
    }
    prepared = ants_syn.prepare(fixed, moving, settings)
    prefix = prepared.run()
    theirs = ants.apply_transforms(
        ants_syn.ants_image(fixed),
        ants_syn.ants_image(moving),
        [f"{prefix}1Warp.nii.gz", f"{prefix}0GenericAffine.mat"],
    ).numpy()
    found = prepared.transform(prefix)
    assert apart(rng, found, known, fixed) < 0.6
    ours = found.resample(moving, fixed).array
    inside = (ours != 0) & (theirs != 0)
    assert inside.mean() > 0.5
    np.testing.assert_allclose(ours[inside], theirs[inside], atol=0.1)


def misled(rng, fixed, moving):
    """Puts bright bars into both where nothing corresponds; masks without them."""
    pairs = []
    for image, first in ((fixed, 3), (moving, 16)):
        array, inside = image.array.copy(), np.ones(image.shape, bool)
        window = slice(first, first + 6), slice(2, 20)
        array[window] = 200 + rng.normal(size=array[window].shape)
        inside[window] = False
        pairs.append((image.with_array(array), image.with_array(inside)))
    return pairs


def test_elastix_looks_inside_masks_alone(rng, itk):
    fixed, moving, known = known_pair(rng, 2)
    (fixed, mask), _ = misled(rng, fixed, moving)
    changes = {"Metric": ["AdvancedMeanSquares"]} | iterations(200)
    settings = {"maps": ["translation", "affine"], "changes": changes}
    errors = []
    for masks in ((mask, None), (None, None)):
        prepared = elastix.prepare(fixed, moving, settings, masks)
        found = prepared.transform(prepared.run())
        errors.append(apart(rng, found, known, moving))
    assert errors[0] < 0.5 * errors[1]


def test_ants_is_given_masks_for_all_its_stages(rng, ants, monkeypatch):
    fixed, moving, _ = known_pair(rng, 2)
    (_, fixed_mask), (_, moving_mask) = misled(rng, fixed, moving)
    given = {}
    monkeypatch.setattr(
        ants, "registration", lambda *images, **options: given.update(options)
    )
    ants_syn.prepare(fixed, moving, {}, (fixed_mask, moving_mask)).run()
    assert given["mask_all_stages"] is True
    for name, mask in (("mask", fixed_mask), ("moving_mask", moving_mask)):
        np.testing.assert_array_equal(given[name].numpy(), mask.array)
    given.clear()
    ants_syn.prepare(fixed, moving, {}).run()
    assert not {"mask", "moving_mask", "mask_all_stages"} & set(given)


def apart(rng, found, known, fixed):
    """Mean distance in mm between where two transforms take what there is to see."""
    points = points_within(rng, fixed, beyond=-0.25)
    moved = found.map_points(points) - known.map_points(points)
    return np.linalg.norm(moved, axis=1).mean()
