"""ANTs' pair: SimpleITK and ANTs apply what we write, and we read what ANTs writes."""

import numpy as np
import pytest
import SimpleITK as sitk
from itk_judge import (
    grid_of,
    itk_map,
    points_within,
    random_frame,
    random_image,
    random_parameters,
    reference_within,
)

from dlir_tf.errors import InputError
from dlir_tf.images import Grid, Image, flip_ras_lps, write_displacement
from dlir_tf.transforms import (
    Affine,
    DenseField,
    Transform,
    read_transform,
    write_transform,
)

AFFINE, WARP = "t0GenericAffine.mat", "t1Warp.nii.gz"
INVERSE_WARP = "t1InverseWarp.nii.gz"
SHAPE = {2: (23, 31), 3: (17, 14, 19)}
# Within the lattice, and fine enough for the splines below.
FINE = {2: (0.25, 0.2), 3: (0.3, 0.4, 0.5)}


def smooth(rng, ndim):
    """One spline and two affines."""
    return random_parameters(rng, ndim, 1, size={2: 0.3, 3: 0.06}[ndim])


def written(rng, folder, ndim, shape=None):
    parameters = smooth(rng, ndim)
    transform = parameters.ours()
    shape = shape or SHAPE[ndim]
    reference = reference_within(rng, parameters.grid, FINE[ndim], shape)
    error = write_transform(folder / AFFINE, transform, reference=reference)
    return transform, reference, error


def as_ants_applies(folder):
    """`-t 1Warp -t 0GenericAffine`: ITK takes a point through the last added first."""
    affine = sitk.ReadTransform(str(folder / AFFINE))
    field = sitk.ReadImage(str(folder / WARP), sitk.sitkVectorFloat64)
    composite = sitk.CompositeTransform(affine.GetDimension())
    composite.AddTransform(affine)
    composite.AddTransform(sitk.DisplacementFieldTransform(field))
    return composite


@pytest.fixture
def ants():
    return pytest.importorskip("ants", reason="antspyx isn't installed")


def ants_image(ants, image):
    lps = flip_ras_lps(image.affine[:-1].T).T
    return ants.from_numpy(
        image.array,
        origin=lps[:, -1].tolist(),
        spacing=list(image.spacing),
        direction=lps[:, :-1] / image.spacing,
    )


@pytest.mark.parametrize("ndim", [2, 3])
def test_itk_maps_points_through_the_pair_alike(rng, tmp_path, ndim):
    transform, reference, error = written(rng, tmp_path, ndim)
    points = points_within(rng, reference, 3000)
    mapped = transform.map_points(points)
    through_itk = itk_map(as_ants_applies(tmp_path), points)
    apart = np.linalg.norm(through_itk - mapped, axis=1).max()
    assert 0 < 0.3 * apart < error < 0.05
    for name in (AFFINE, WARP):
        again = read_transform(tmp_path / name)
        assert [type(c) for c in again.components] == [DenseField, Affine]
        np.testing.assert_allclose(again.map_points(points), through_itk, atol=1e-4)
    # The affine part is exact, and also holds where the warp has ended.
    affine = Transform(transform.components[1:])
    far = points + 1000.0
    np.testing.assert_allclose(again.map_points(far), affine.map_points(far), atol=1e-9)


@pytest.mark.parametrize("shape", [SHAPE[2], SHAPE[3], (17, 14, 1)])
def test_ants_moves_an_image_alike(rng, tmp_path, ants, shape):
    """A grid of one slice, too."""
    ndim = len(shape)
    transform, reference, _ = written(rng, tmp_path, ndim, shape)
    centre = transform.map_points(points_within(rng, reference)).mean(axis=0)
    frame = random_frame(rng, rng.uniform(0.2, 0.4, ndim), centre, SHAPE[ndim][::-1])
    moving = random_image(rng, SHAPE[ndim][::-1], frame)
    array = ants.apply_transforms(
        ants_image(ants, reference),
        ants_image(ants, moving),
        [str(tmp_path / WARP), str(tmp_path / AFFINE)],
        defaultvalue=-100,
    ).numpy()
    moved = transform.resample(moving, reference, fill_value=-100).array
    inside = (array != -100) & (moved != -100)
    assert 0.1 < inside.mean() < 1
    assert np.mean(inside != (array != -100)) < 0.01
    np.testing.assert_allclose(
        moved[inside], array[inside], rtol=0, atol=1e-3 * np.ptp(moving.array)
    )


@pytest.mark.parametrize("ndim", [2, 3])
def test_ants_maps_points_alike(rng, tmp_path, ants, ndim):
    """With the list that moves the moving image, points go from fixed to moving.

    Points travel against images: so the same list carries a landmark of the fixed
    image to the moving one, as `map_points` does, in LPS.
    """
    import pandas as pd

    transform, reference, _ = written(rng, tmp_path, ndim)
    points = points_within(rng, reference)
    table = pd.DataFrame(flip_ras_lps(points), columns=list("xyz"[:ndim]))
    mapped = ants.apply_transforms_to_points(
        ndim, table, [str(tmp_path / WARP), str(tmp_path / AFFINE)]
    )
    np.testing.assert_allclose(
        flip_ras_lps(mapped.to_numpy()[:, :ndim]),
        transform.map_points(points),
        atol=0.05,
    )


@pytest.fixture(scope="module")
def registered(tmp_path_factory):
    """Two tiny images, registered by ANTs, with and without a warp, in 2-d and 3-d."""
    ants = pytest.importorskip("ants", reason="antspyx isn't installed")
    rng = np.random.default_rng(5)
    results = {}
    for ndim, shape in ((2, (33, 29)), (3, (21, 24, 18))):
        frame = random_frame(rng, (1.3, 0.9, 2.0)[:ndim], np.arange(ndim) * 9.0, shape)
        fixed = random_image(rng, shape, frame)
        shifted = frame.copy()
        shifted[:-1, -1] += (1.5, -1.0, 2.0)[:ndim]
        array = fixed.array + 0.1 * random_image(rng, shape, frame).array
        moving = Image(array, shifted)
        for kind in ("SyN", "Rigid"):
            folder = tmp_path_factory.mktemp(f"ants{ndim}{kind}")
            result = ants.registration(
                ants_image(ants, fixed),
                ants_image(ants, moving),
                type_of_transform=kind,
                reg_iterations=(8, 4),
                aff_iterations=(20, 10),
                aff_shrink_factors=(2, 1),
                aff_smoothing_sigmas=(1, 0),
                outprefix=f"{folder}/t",
                random_seed=1,
            )
            results[ndim, kind] = folder, fixed, moving, result
    return results


@pytest.mark.parametrize("kind", ["SyN", "Rigid"])
@pytest.mark.parametrize("ndim", [2, 3])
def test_what_ants_wrote_gives_ants_own_result(registered, ndim, kind):
    folder, fixed, moving, result = registered[ndim, kind]
    transform = read_transform(folder / AFFINE)
    assert len(transform.components) == {"SyN": 2, "Rigid": 1}[kind]
    expected = result["warpedmovout"].numpy()
    moved = transform.resample(moving, fixed).array
    inside = (expected != 0) & (moved != 0)
    assert inside.mean() > 0.5
    np.testing.assert_allclose(
        moved[inside], expected[inside], rtol=0, atol=1e-3 * np.ptp(moving.array)
    )
    shift = transform.map_points(grid_of(fixed).reshape(-1, ndim)).mean(0)
    assert np.abs(shift - grid_of(fixed).reshape(-1, ndim).mean(0)).max() > 0.5


@pytest.mark.parametrize("ndim", [2, 3])
def test_ants_inverse_warp_is_read_as_the_way_back(registered, ndim):
    folder, fixed, moving, result = registered[ndim, "SyN"]
    inverse = read_transform(folder / INVERSE_WARP)
    assert [type(c) for c in inverse.components] == [Affine, DenseField]
    expected = result["warpedfixout"].numpy()
    moved = inverse.resample(fixed, moving).array
    inside = (expected != 0) & (moved != 0)
    assert inside.mean() > 0.5
    np.testing.assert_allclose(
        moved[inside], expected[inside], rtol=0, atol=1e-3 * np.ptp(fixed.array)
    )


@pytest.mark.parametrize("ndim", [2, 3])
def test_what_ants_wrote_is_written_back_exactly(rng, registered, tmp_path, ndim):
    folder, fixed, *_ = registered[ndim, "SyN"]
    transform = read_transform(folder / WARP)
    assert write_transform(tmp_path / WARP, transform) < 1e-6
    again = read_transform(tmp_path / WARP)
    points = points_within(rng, fixed)
    np.testing.assert_allclose(
        again.map_points(points), transform.map_points(points), atol=1e-9
    )


def test_a_composite_of_ants_is_read(registered, tmp_path, ants):
    """`antsRegistration --write-composite-transform`, in single precision."""
    _, fixed, moving, _ = registered[3, "SyN"]
    result = ants.registration(
        ants_image(ants, fixed),
        ants_image(ants, moving),
        type_of_transform="SyN",
        reg_iterations=(4, 2),
        aff_iterations=(5, 3),
        aff_shrink_factors=(2, 1),
        aff_smoothing_sigmas=(1, 0),
        outprefix=f"{tmp_path}/t",
        write_composite_transform=True,
    )
    transform = read_transform(result["fwdtransforms"])
    expected = result["warpedmovout"].numpy()
    moved = transform.resample(moving, fixed).array
    inside = (expected != 0) & (moved != 0)
    assert inside.mean() > 0.5
    np.testing.assert_allclose(
        moved[inside], expected[inside], rtol=0, atol=1e-3 * np.ptp(moving.array)
    )


def test_an_affine_before_the_deformation_goes_into_the_warp(rng, tmp_path):
    """An inverse is affine first, which the pair can't say: its affine is unity."""
    parameters = smooth(rng, 3)
    inverse = parameters.ours().inverse()
    centre = Transform(parameters.ours().components[1:]).map_points(
        points_within(rng, reference_within(rng, parameters.grid, FINE[3], SHAPE[3]))
    )
    frame = random_frame(rng, FINE[3], centre.mean(axis=0), SHAPE[3])
    reference = Image(np.zeros(SHAPE[3]), frame)
    error = write_transform(tmp_path / WARP, inverse, reference=reference)
    again = read_transform(tmp_path / WARP)
    np.testing.assert_array_equal(again.components[1].matrix, np.eye(4))
    points = points_within(rng, reference, 2000)
    apart = again.map_points(points) - inverse.map_points(points)
    assert 0 < error < 0.05
    assert np.linalg.norm(apart, axis=1).max() < 2 * error


def test_an_affine_alone_is_one_file_and_with_a_grid_a_pair(rng, tmp_path):
    parameters = random_parameters(rng, 3, 0)
    transform, points = parameters.ours(), 50 * rng.normal(size=(20, 3))
    assert write_transform(tmp_path / AFFINE, transform) == 0.0
    assert [path.name for path in tmp_path.iterdir()] == [AFFINE]
    again = read_transform(tmp_path / AFFINE)
    np.testing.assert_allclose(
        again.map_points(points), transform.map_points(points), atol=1e-9
    )
    reference = Image(np.zeros(SHAPE[3]), parameters.grid.affine)
    assert write_transform(tmp_path / AFFINE, transform, reference=reference) < 1e-9
    assert sorted(path.name for path in tmp_path.iterdir()) == [AFFINE, WARP]
    assert not read_transform(tmp_path / WARP).components[0].displacement.any()


def test_an_affine_alone_does_not_join_an_older_warp(rng, tmp_path):
    written(rng, tmp_path, 3)
    before = (tmp_path / AFFINE).read_bytes()
    with pytest.raises(InputError, match=r"there is t1Warp\.nii\.gz"):
        write_transform(tmp_path / AFFINE, random_parameters(rng, 3, 0).ours())
    assert (tmp_path / AFFINE).read_bytes() == before


@pytest.mark.parametrize("name", [AFFINE, WARP])
@pytest.mark.parametrize("with_grid", [True, False])
def test_a_pair_does_not_join_an_older_inverse_warp(rng, tmp_path, name, with_grid):
    """By `[affine,1]` and the inverse warp, ANTs' users would go back another way."""
    (tmp_path / INVERSE_WARP).write_bytes(b"of another registration")
    parameters = random_parameters(rng, 3, 0)
    reference = Image(np.zeros(SHAPE[3]), parameters.grid.affine)
    options = {"reference": reference} if with_grid else {}
    with pytest.raises(InputError, match=r"t1Inv.* which ANTs' users .*; remove that"):
        write_transform(tmp_path / name, parameters.ours(), **options)
    assert [path.name for path in tmp_path.iterdir()] == [INVERSE_WARP]
    (tmp_path / INVERSE_WARP).unlink()
    write_transform(tmp_path / name, parameters.ours(), **options)


def test_a_warp_without_its_affine_is_refused(rng, tmp_path):
    written(rng, tmp_path, 3)
    (tmp_path / WARP).rename(tmp_path / INVERSE_WARP)
    (tmp_path / AFFINE).rename(tmp_path / "other.mat")
    with pytest.raises(InputError, match=r"no file t0GenericAffine\.mat; put it there"):
        read_transform(tmp_path / INVERSE_WARP)
    (tmp_path / INVERSE_WARP).rename(tmp_path / WARP)
    with pytest.raises(InputError, match=r"no file t0GenericAffine\.mat; put it there"):
        read_transform(tmp_path / WARP)
    (tmp_path / WARP).rename(tmp_path / "warp.nii.gz")
    assert read_transform(tmp_path / "warp.nii.gz").ndim == 3


def test_files_of_two_registrations_do_not_make_a_pair(rng, tmp_path):
    written(rng, tmp_path, 3)
    field = rng.normal(size=(5, 6, 2)).astype(np.float32)
    write_displacement(tmp_path / WARP, field, Grid(field.shape[:-1], np.eye(3)))
    with pytest.raises(InputError, match=r"is 2-d and t0GenericAffine\.mat 3-d"):
        read_transform(tmp_path / AFFINE)


@pytest.mark.parametrize(("field", "value"), [("pixdim", 2.5), ("dim", 2)])
def test_a_warp_whose_grid_does_not_match_its_header_is_refused(
    rng, tmp_path, field, value
):
    import nibabel as nib

    written(rng, tmp_path, 3)
    image = nib.load(tmp_path / WARP)
    vectors = np.asarray(image.dataobj)
    if field == "dim":  # vectors of two numbers on a grid of three axes
        image = nib.Nifti1Image(vectors[..., :value], image.affine, image.header)
    else:
        image.header["pixdim"][1] = value
        image = nib.Nifti1Image(vectors, None, image.header)
        image.header["pixdim"][1] = value
    nib.save(image, tmp_path / WARP)
    with pytest.raises(InputError, match=r"t1Warp\.nii\.gz: "):
        read_transform(tmp_path / AFFINE)


def test_a_matrix_that_can_not_be_inverted_is_refused(tmp_path):
    from scipy.io import savemat

    flat = {"AffineTransform_double_2_2": np.zeros((6, 1)), "fixed": np.zeros((2, 1))}
    savemat(tmp_path / AFFINE, flat, format="4")
    with pytest.raises(InputError, match=r"t0GenericAffine\.mat: .*can be inverted"):
        read_transform(tmp_path / AFFINE)


def test_both_files_appear_or_neither(rng, tmp_path, monkeypatch):
    def fail(*_):
        raise RuntimeError("ITK ERROR: the disk is full")

    monkeypatch.setattr(sitk, "WriteTransform", fail)
    with pytest.raises(InputError, match=r"t0GenericAffine\.mat: can't be written"):
        written(rng, tmp_path, 3)
    assert list(tmp_path.iterdir()) == []


def test_an_inverse_warp_is_not_written_alone(rng, tmp_path):
    with pytest.raises(InputError, match="can't be written by itself; choose a name"):
        write_transform(tmp_path / INVERSE_WARP, smooth(rng, 3).ours())
