"""ITK's transform files: SimpleITK reads what we write, and we read what it writes."""

import contextlib

import numpy as np
import pytest
import SimpleITK as sitk
from itk_judge import (
    itk_map,
    points_within,
    random_frame,
    random_image,
    random_parameters,
    reference_within,
    sitk_image,
)

from dlir_tf.errors import InputError
from dlir_tf.images import Image, flip_ras_lps
from dlir_tf.transforms import (
    Affine,
    BSpline,
    DenseField,
    Inverse,
    Transform,
    read_transform,
    write_transform,
)
from dlir_tf.transforms.files.itk_conversion import from_itk

SUFFIXES = [".h5", ".hdf5", ".tfm", ".txt"]
CASES = [(ndim, count) for ndim in (2, 3) for count in (0, 1, 3)]
SHAPE = {2: (23, 31), 3: (17, 14, 19)}
# Within the lattice, and fine enough for a dense form of the splines below.
FINE = {2: (0.25, 0.2), 3: (0.3, 0.4, 0.5)}


def smooth(rng, ndim):
    """One spline and two affines, gentle enough for a dense form."""
    return random_parameters(rng, ndim, 1, size={2: 0.3, 3: 0.06}[ndim])


def kinds(transform):
    return [type(component) for component in transform.components]


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize(("ndim", "num_splines"), CASES)
def test_itk_maps_points_through_the_file_alike(
    rng, tmp_path, suffix, ndim, num_splines
):
    """In the lattice and far beyond it, where the splines end."""
    parameters = random_parameters(rng, ndim, num_splines)
    transform = parameters.ours()
    path = tmp_path / f"t{suffix}"
    assert write_transform(path, transform) == 0.0
    image = Image(np.zeros(parameters.grid.shape), parameters.grid.affine)
    points = points_within(rng, image, 600, beyond=1.0)
    mapped = transform.map_points(points)
    stored = sitk.ReadTransform(str(path))
    np.testing.assert_allclose(itk_map(stored, points), mapped, atol=1e-6)
    again = read_transform(path)
    assert kinds(again) == kinds(transform)
    np.testing.assert_allclose(again.map_points(points), mapped, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(again.covers(points), transform.covers(points))
    assert (np.linalg.norm(mapped - points, axis=1) > 3).all()


@pytest.mark.parametrize("ndim", [2, 3])
def test_itk_resamples_with_the_file_to_the_same_image(rng, tmp_path, ndim):
    parameters = random_parameters(rng, ndim, 3, size=0.5)
    transform = parameters.ours()
    path = tmp_path / "t.h5"
    write_transform(path, transform)
    spacing = rng.uniform(0.7, 1.6, ndim)
    reference = reference_within(rng, parameters.grid, spacing, SHAPE[ndim])
    centre = transform.map_points(points_within(rng, reference)).mean(axis=0)
    frame = random_frame(rng, rng.uniform(0.8, 1.9, ndim), centre, SHAPE[ndim][::-1])
    moving = random_image(rng, SHAPE[ndim][::-1], frame)
    expected = sitk.Resample(
        sitk_image(moving),
        sitk_image(reference),
        sitk.ReadTransform(str(path)),
        sitk.sitkLinear,
        -100.0,
    )
    array = sitk.GetArrayFromImage(expected).T
    moved = read_transform(path).resample(moving, reference, fill_value=-100).array
    inside = array != -100
    assert 0.1 < inside.mean() < 1
    np.testing.assert_array_equal(moved != -100, inside)
    np.testing.assert_allclose(
        moved[inside], array[inside], rtol=0, atol=1e-3 * np.ptp(moving.array)
    )


@pytest.mark.parametrize("suffix", [".h5", ".tfm"])
def test_axes_that_are_not_perpendicular_are_kept(rng, tmp_path, suffix):
    """As a CT with a tilted gantry has them: for ITK no reason to be inexact."""
    tilted = random_frame(rng, (3.0, 4.0, 5.0), np.array([10.0, -20, 30]), (6, 5, 7))
    tilted[:-1, 2] += 0.4 * tilted[:-1, 0]
    spline = BSpline(rng.normal(size=(9, 8, 7, 3)), tilted)
    field = DenseField(rng.normal(size=(6, 5, 7, 3)), tilted)
    transform = Transform((spline, field))
    path = tmp_path / f"t{suffix}"
    assert write_transform(path, transform) == 0.0
    points = points_within(rng, Image(np.zeros((6, 5, 7)), tilted), beyond=0.2)
    mapped = transform.map_points(points)
    assert 0.05 < transform.covers(points).mean() < 0.95
    stored = sitk.ReadTransform(str(path))
    np.testing.assert_allclose(itk_map(stored, points), mapped, atol=1e-9)
    np.testing.assert_allclose(
        read_transform(path).map_points(points), mapped, atol=1e-9
    )


@pytest.mark.parametrize("suffix", [".h5", ".tfm"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("ndim", [2, 3])
def test_dense_fields_are_exact(rng, tmp_path, ndim, dtype, suffix):
    shape = SHAPE[ndim]
    affine = random_frame(rng, rng.uniform(0.7, 3, ndim), 30.0 * np.arange(ndim), shape)
    displacement = rng.normal(size=(*shape, ndim)).astype(dtype)
    matrix = np.eye(ndim + 1) + 0.1 * np.eye(ndim + 1, k=1)
    matrix[-1] = np.eye(ndim + 1)[-1]
    transform = Transform((DenseField(displacement, affine), Affine(matrix)))
    path = tmp_path / f"t{suffix}"
    assert write_transform(path, transform) == 0.0
    points = points_within(rng, Image(np.zeros(shape), affine), beyond=0.2)
    mapped = transform.map_points(points)
    stored = sitk.ReadTransform(str(path))
    np.testing.assert_allclose(itk_map(stored, points), mapped, atol=1e-6)
    field, read_affine = read_transform(path).components
    assert field.displacement.dtype == dtype
    np.testing.assert_array_equal(field.displacement, displacement)
    np.testing.assert_allclose(field.affine, affine, atol=1e-12)
    np.testing.assert_array_equal(read_affine.matrix, matrix)


@pytest.mark.parametrize("ndim", [2, 3])
def test_the_inverse_of_a_deformation_is_dense_and_says_how_exact(rng, tmp_path, ndim):
    parameters = smooth(rng, ndim)
    inverse = parameters.ours().inverse()
    working = reference_within(rng, parameters.grid, FINE[ndim], SHAPE[ndim])
    affine = Transform(parameters.ours().components[1:])
    corner = affine.components[1].matrix @ affine.components[0].matrix @ working.affine
    # Its axes are sheared by the affine component; a reference has its own.
    frame = random_frame(rng, FINE[ndim], corner[:-1, -1], SHAPE[ndim])
    centre = affine.map_points(points_within(rng, working)).mean(axis=0)
    frame[:-1, -1] = centre - frame[:-1, :-1] @ ((np.asarray(SHAPE[ndim]) - 1) / 2)
    reference = Image(np.zeros(SHAPE[ndim]), frame)
    path = tmp_path / "t.h5"
    error = write_transform(path, inverse, reference=reference)
    again = read_transform(path)
    assert kinds(again) == [Affine, Affine, DenseField]
    points = points_within(rng, reference, 3000)
    mapped = inverse.map_points(points)
    plain = Transform(inverse.components[:2]).map_points(points)
    assert np.abs(mapped - plain).max() > 0.05
    through_itk = itk_map(sitk.ReadTransform(str(path)), points)
    apart = np.linalg.norm(through_itk - mapped, axis=1).max()
    assert 0 < 0.3 * apart < error < 0.05
    np.testing.assert_allclose(again.map_points(points), through_itk, atol=1e-6)
    far = points + 1000.0
    np.testing.assert_allclose(again.map_points(far), inverse.map_points(far))


def test_inverses_with_an_exact_form_need_no_reference(rng, tmp_path):
    parameters = smooth(rng, 3)
    spline, *affines = parameters.ours().components
    exact = Transform((Inverse(Inverse(spline)), Inverse(affines[0])))
    path = tmp_path / "t.tfm"
    assert write_transform(path, exact) == 0.0
    assert kinds(read_transform(path)) == [BSpline, Affine]
    image = Image(np.zeros(parameters.grid.shape), parameters.grid.affine)
    points = points_within(rng, image)
    expected = affines[0].inverse().map_points(spline.map_points(points))
    np.testing.assert_allclose(
        read_transform(path).map_points(points), expected, atol=1e-9
    )


def test_splines_around_an_inverse_become_one_field_with_it(rng, tmp_path):
    """There and back again: the field is nearly zero, and the error tells."""
    parameters = smooth(rng, 2)
    forward = parameters.ours()
    around = forward.compose(forward.inverse()).compose(forward)
    reference = reference_within(rng, parameters.grid, FINE[2], SHAPE[2])
    path = tmp_path / "t.h5"
    error = write_transform(path, around, reference=reference)
    assert kinds(read_transform(path)) == [DenseField, BSpline, Affine, Affine]
    points = points_within(rng, reference)
    np.testing.assert_allclose(
        read_transform(path).map_points(points), forward.map_points(points), atol=0.05
    )
    assert 0 < error < 0.05


def test_a_missing_reference_is_named_and_nothing_is_written(rng, tmp_path):
    inverse = smooth(rng, 3).ours().inverse()
    with pytest.raises(InputError, match=r"t\.h5: such a file .* give the fixed image"):
        write_transform(tmp_path / "t.h5", inverse)
    assert list(tmp_path.iterdir()) == []


def scale_logarithmic():
    transform = sitk.Transform(3, sitk.sitkScaleLogarithmic)
    transform.SetParameters([0.1, -0.2, 0.3])
    return transform


LINEAR = [
    sitk.Transform(2, sitk.sitkIdentity),
    sitk.Transform(3, sitk.sitkIdentity),
    sitk.TranslationTransform(2, (3.0, -7.0)),
    sitk.TranslationTransform(3, (3.0, -7.0, 11.0)),
    sitk.ScaleTransform(2, (1.1, 0.8)),
    sitk.ScaleTransform(3, (1.1, 0.8, 1.3)),
    scale_logarithmic(),
    sitk.Euler2DTransform((5.0, 9.0), 0.3, (1.0, 2.0)),
    sitk.Similarity2DTransform(1.2, 0.3, (1.0, 2.0), (5.0, 9.0)),
    sitk.AffineTransform([1.1, 0.2, -0.1, 0.9], [4.0, 5.0], [50.0, -30.0]),
    sitk.Euler3DTransform((5.0, 9.0, -20.0), 0.3, -0.2, 0.1, (1.0, 2.0, 3.0)),
    sitk.VersorTransform((0, 0.6, 0.8), 0.3, (5.0, 9.0, -20.0)),
    sitk.VersorRigid3DTransform((0, 0.6, 0.8), 0.3, (1.0, 2.0, 3.0), (5.0, 9.0, -20.0)),
    sitk.Similarity3DTransform(
        1.2, (0, 0.6, 0.8), 0.3, (1.0, 2.0, 3.0), (5.0, 9.0, -20.0)
    ),
    sitk.ScaleVersor3DTransform(
        (1.1, 0.9, 1.2), (0, 0.6, 0.8), 0.3, (1.0, 2.0, 3.0), (5.0, 9.0, -20.0)
    ),
    sitk.ScaleSkewVersor3DTransform(
        (1.1, 0.9, 1.2),
        (0.1, 0.2, 0.0, -0.1, 0.0, 0.05),
        (0, 0.6, 0.8),
        0.3,
        (1.0, 2.0, 3.0),
        (5.0, 9.0, -20.0),
    ),
]


@pytest.mark.parametrize("linear", LINEAR, ids=lambda t: t.GetName())
def test_all_of_itks_linear_transforms_are_read(rng, tmp_path, linear):
    path = tmp_path / "t.tfm"
    sitk.WriteTransform(linear, str(path))
    transform = read_transform(path)
    points = 50 * rng.normal(size=(30, linear.GetDimension()))
    assert kinds(transform) == [Affine]
    np.testing.assert_allclose(
        transform.map_points(points), itk_map(linear, points), atol=1e-9
    )


def test_composites_in_composites_go_the_right_way_round(rng, tmp_path):
    inner, outer = sitk.CompositeTransform(3), sitk.CompositeTransform(3)
    inner.AddTransform(LINEAR[10])
    inner.AddTransform(LINEAR[5])
    outer.AddTransform(LINEAR[3])
    outer.AddTransform(inner)
    outer.AddTransform(LINEAR[11])
    points = 50 * rng.normal(size=(30, 3))
    transform = Transform(tuple(from_itk(tmp_path, outer)))
    np.testing.assert_allclose(
        transform.map_points(points), itk_map(outer, points), atol=1e-9
    )


def test_a_spline_on_itks_own_initial_lattice_is_read(rng, tmp_path):
    """From a program that never heard of our lattices, beside a field."""
    shape = SHAPE[3]
    image = Image(
        np.zeros(shape), random_frame(rng, (1.0, 1.5, 2.0), np.ones(3), shape)
    )
    spline = sitk.BSplineTransformInitializer(sitk_image(image), [3, 2, 4], order=3)
    spline.SetParameters(rng.normal(size=len(spline.GetParameters())).tolist())
    vectors = sitk.GetImageFromArray(rng.normal(size=(*shape[::-1], 3)), isVector=True)
    vectors.CopyInformation(sitk_image(image))
    composite = sitk.CompositeTransform(3)
    composite.AddTransform(sitk.DisplacementFieldTransform(vectors))
    composite.AddTransform(spline)
    path = tmp_path / "t.h5"
    sitk.WriteTransform(composite, str(path))
    points = points_within(rng, image, beyond=0.1)
    transform = read_transform(path)
    assert kinds(transform) == [BSpline, DenseField]
    expected = itk_map(composite, points)
    np.testing.assert_allclose(transform.map_points(points), expected, atol=1e-5)
    assert np.abs(expected - points).max() > 1


def test_other_kinds_of_transforms_are_refused(tmp_path):
    path = tmp_path / "t.tfm"
    sitk.WriteTransform(sitk.BSplineTransform(3, 2), str(path))
    with pytest.raises(InputError, match="must be of order 3, but one is of order 2"):
        read_transform(path)
    unknown = sitk.Transform(sitk.BSplineTransform(3, 3))
    with pytest.raises(InputError, match="displacement fields, but there is a Trans"):
        from_itk(path, unknown)
    sitk.WriteTransform(sitk.ComposeScaleSkewVersor3DTransform(), str(path))
    with pytest.raises(InputError, match=r"can't read .* ComposeScaleSkew.*_3_3"):
        read_transform(path)
    body = "\nParameters: 1 0 0 1\nFixedParameters: 0 0\n"
    path.write_text(f"Transform: ThinPlateSplineKernelTransform_double_2_2{body}")
    with pytest.raises(InputError, match=r"can't read .* ThinPlateSplineKernel"):
        read_transform(path)


def test_what_maps_to_a_plane_or_nowhere_is_refused(rng, tmp_path):
    path = tmp_path / "t.tfm"
    path.write_text(
        "#Insight Transform File V1.0\nTransform: AffineTransform_double_2_2\n"
        "Parameters: 1 2 2 4 0 0\nFixedParameters: 0 0\n"
    )
    with pytest.raises(InputError, match=r"t\.tfm: .* can be inverted"):
        read_transform(path)
    vectors = np.zeros((5, 4, 2))
    vectors[2, 2] = np.nan
    image = sitk.GetImageFromArray(vectors, isVector=True)
    path = tmp_path / "t.h5"
    sitk.WriteTransform(sitk.DisplacementFieldTransform(image), str(path))
    with pytest.raises(InputError, match=r"t\.h5: .* finite displacements"):
        read_transform(path)


def test_separate_transforms_in_one_file_are_refused(tmp_path):
    """ITK would return the first one."""
    part = "Transform: AffineTransform_double_2_2\nParameters: 1 0 0 1 3 4\n"
    path = tmp_path / "t.tfm"
    path.write_text(2 * (part + "FixedParameters: 0 0\n"))
    with pytest.raises(InputError, match="holds 2 separate ones"):
        read_transform(path)
    path.write_text("Transform: CompositeTransform_double_2_2\n")
    with pytest.raises(InputError, match="holds an empty composite"):
        read_transform(path)


@pytest.fixture
def small(rng):
    spline = BSpline(rng.normal(size=(4, 5, 2)), np.diag([3.0, 4.0, 1.0]))
    matrix = np.array([[1.05, 0.1, 2.6], [0.02, 0.95, -3.7], [0, 0, 1]])
    return Transform((Affine(matrix), spline))


@pytest.mark.parametrize(("suffix", "step"), [(".tfm", 1), (".h5", 173)])
def test_a_truncated_file_is_refused_wherever_it_ends(
    rng, tmp_path, capfd, small, suffix, step
):
    path = tmp_path / f"t{suffix}"
    write_transform(path, small)
    whole = path.read_bytes()
    readable = []
    for length in range(0, len(whole), step):
        path.write_bytes(whole[:length])
        with contextlib.suppress(InputError):
            read_transform(path)
            readable.append(length)
    # A text doesn't say how many transforms it holds: between two it may end.
    second = b"#Transform 2\n"
    between = whole.find(second)
    assert readable == ([between, between + len(second)] if suffix == ".tfm" else [])
    assert capfd.readouterr().err == ""


def test_a_truncated_matlab_file_is_refused_wherever_it_ends(tmp_path):
    """ITK fills what is missing with what was in memory."""
    path = tmp_path / "t.mat"
    centre = sitk.AffineTransform([1.1, 0.2, -0.1, 0.9], [4.0, 5.0], [50.0, -30.0])
    sitk.WriteTransform(centre, str(path))
    np.testing.assert_allclose(
        read_transform(path).map_points([[1.0, 2.0]]),
        itk_map(centre, np.array([[1.0, 2.0]])),
    )
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="can't be read as an ITK"):
            read_transform(path)


def test_other_programs_files_with_these_names_are_refused(tmp_path):
    import h5py
    from scipy.io import savemat

    with h5py.File(tmp_path / "t.h5", "w") as file:
        file["weights"] = np.zeros(3)
    (tmp_path / "t.txt").write_text('(Transform "BSplineTransform")\n(NumberOf 3)\n')
    savemat(tmp_path / "t.mat", {"a": np.zeros(3), "b": np.zeros(2)}, format="4")
    (tmp_path / "t.tfm").write_bytes(bytes(range(256)))
    for name in ("t.h5", "t.mat", "t.tfm"):
        with pytest.raises(InputError, match=f"{name}: can't be read as an ITK"):
            read_transform(tmp_path / name)
    with pytest.raises(InputError, match=r"t\.txt: can't be read as a .* of elastix"):
        read_transform(tmp_path / "t.txt")


def test_signs_and_order_by_hand(tmp_path):
    """One shift and one turn, checked by eye: LPS, and what acts first comes last."""
    shift = np.array([[1.0, 0, 5], [0, 1, 7], [0, 0, 1]])
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    path = tmp_path / "t.tfm"
    write_transform(path, Transform((Affine(shift), Affine(turn))))
    stored = sitk.ReadTransform(str(path))
    assert stored.GetNthTransform(1).GetTranslation() == (-5.0, -7.0)
    np.testing.assert_allclose(flip_ras_lps(np.array([1.0, 2.0])), [-1, -2])
    np.testing.assert_allclose(stored.TransformPoint((-1.0, -2.0)), (9, -6))
