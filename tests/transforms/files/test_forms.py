"""What is written for other programs: by definition, and as nitransforms reads it."""

import nibabel as nib
import numpy as np
import pytest
from itk_judge import random_frame, random_image, random_parameters, reference_within
from scipy.spatial.transform import Rotation
from transformix import by_transformix

from dlir_tf.cli import main
from dlir_tf.errors import InputError
from dlir_tf.images import Grid, flip_ras_lps, write_image
from dlir_tf.transforms import (
    Affine,
    DenseField,
    Transform,
    read_chain,
    read_transform,
    write_transform,
)
from dlir_tf.transforms.files.matrices import read_flirt

SIGNS = np.array([-1.0, -1, 1])
LPS = np.diag([*SIGNS, 1])


@pytest.fixture
def sheared(rng):
    matrix = np.eye(4)
    matrix[:3] += 0.2 * rng.normal(size=(3, 4))
    matrix[:3, 3] *= 50
    return Transform((Affine(np.eye(4)), Affine(matrix)))


def grids(rng, left_handed):
    """Of two images, oblique, of both handednesses, as NIfTI files hold them."""
    fixed, moving = (
        random_frame(rng, spacing, [10, -20, 30], shape)
        for shape, spacing in (
            ((9, 11, 7), (1.0, 1.3, 2.5)),
            ((8, 7, 13), (2.0, 0.8, 1.1)),
        )
    )
    if (np.linalg.det(fixed) < 0) != left_handed:
        fixed = fixed @ np.diag([-1.0, 1, 1, 1])
    if (np.linalg.det(moving) < 0) == left_handed:
        moving = moving @ np.diag([-1.0, 1, 1, 1])
    return Grid((9, 11, 7), fixed), Grid((8, 7, 13), moving)


def straight(rng):
    return tuple(
        Grid(shape, np.diag([*rng.uniform(1, 3, 3), 1.0]))
        for shape in ((9, 11, 7), (8, 7, 13))
    )


def points_of(rng):
    return rng.uniform(-40, 40, (50, 3))


@pytest.mark.filterwarnings("ignore:.*AFNI means its matrix:UserWarning")
@pytest.mark.parametrize("left_handed", [False, True])
@pytest.mark.parametrize("form", ["afni", "lta", "flirt", "niftyreg"])
def test_matrices_are_read_again(rng, tmp_path, sheared, form, left_handed):
    fixed, moving = straight(rng) if form == "afni" else grids(rng, left_handed)
    name = {"afni": "m.aff12.1D", "lta": "m.lta"}.get(form, "m.txt")
    path = tmp_path / name
    given = {} if form in ("afni", "lta") else {"form": form}
    error = write_transform(path, sheared, reference=fixed, moving=moving, **given)
    assert error == 0
    if form == "flirt":
        again = read_flirt(path, fixed, moving)
    elif form == "niftyreg":
        again = read_chain([f"[{path},0,niftyreg]"])
    else:
        again = read_transform(path)
    points = points_of(rng)
    np.testing.assert_allclose(
        again.map_points(points), sheared.map_points(points), atol=1e-9
    )


def test_matrices_by_their_definitions(rng, tmp_path, sheared):
    """What each program does with a voxel of the moving or of the fixed image."""
    fixed, moving = grids(rng, left_handed=True)
    matrix, points = sheared.affine_part, points_of(rng)
    there = sheared.map_points(points)

    write_transform(tmp_path / "n.txt", sheared, form="niftyreg")
    np.testing.assert_allclose(np.loadtxt(tmp_path / "n.txt"), matrix, atol=1e-12)

    write_transform(tmp_path / "a.aff12.1D", sheared)
    row = np.loadtxt(tmp_path / "a.aff12.1D").reshape(3, 4)
    np.testing.assert_allclose(row, (LPS @ matrix @ LPS)[:3], atol=1e-12)

    write_transform(tmp_path / "f.mat", sheared, reference=fixed, moving=moving,
                    form="flirt")  # fmt: skip
    flirt = np.loadtxt(tmp_path / "f.mat")
    # The moving image is neurological: FSL counts its first axis from the other end.
    places = moving.to_voxels(there)
    places[:, 0] = moving.shape[0] - 1 - places[:, 0]
    back = (places * moving.spacing) @ flirt[:3, :3].T + flirt[:3, 3]
    np.testing.assert_allclose(fixed.to_world(back / fixed.spacing), points, atol=1e-8)

    write_transform(tmp_path / "t.lta", sheared, reference=fixed, moving=moving)
    lines = (tmp_path / "t.lta").read_text().splitlines()
    first = lines.index("1 4 4") + 1
    lta = np.array([line.split() for line in lines[first : first + 4]], float)
    np.testing.assert_allclose(lta @ matrix, np.eye(4), atol=1e-9)
    start = lines.index("dst volume info")
    rows = [line.split("=") for line in lines[start + 3 :]]
    dst = {name.strip(): np.array(value.split(), float) for name, value in rows}
    axes = np.stack([dst["xras"], dst["yras"], dst["zras"]], axis=1)
    middle = axes @ (dst["voxelsize"] * np.array(fixed.shape) / 2)
    np.testing.assert_array_equal(dst["volume"], fixed.shape)
    np.testing.assert_allclose(dst["cras"] - middle, fixed.affine[:3, 3], atol=1e-9)


@pytest.mark.parametrize("left_handed", [False, True])
@pytest.mark.parametrize("form", ["afni", "fsl", "fs"])
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_nitransforms_reads_what_is_written(rng, tmp_path, sheared, form, left_handed):
    linear = pytest.importorskip(
        "nitransforms.linear", reason="nitransforms isn't installed"
    )
    fixed, moving = straight(rng) if form == "afni" else grids(rng, left_handed)
    images = [nib.Nifti1Image(np.zeros(g.shape), g.affine) for g in (fixed, moving)]
    name = {"afni": "r.aff12.1D", "fsl": "r.mat", "fs": "r.lta"}[form]
    given = {"form": "flirt"} if form == "fsl" else {}
    write_transform(tmp_path / name, sheared, reference=fixed, moving=moving, **given)
    theirs = linear.Affine.from_filename(
        tmp_path / name, fmt=form, reference=images[0], moving=images[1]
    )
    points = points_of(rng)
    np.testing.assert_allclose(
        theirs.map(points), sheared.map_points(points), atol=1e-4
    )


def test_spm_finds_positions(rng, tmp_path):
    parameters = random_parameters(rng, 3, 1, size=0.06)
    fixed = reference_within(rng, parameters.grid, (0.3, 0.4, 0.5), (17, 14, 19))
    transform = parameters.ours()
    path = tmp_path / "y_subject.nii"
    error = write_transform(path, transform, reference=fixed, form="spm")
    image = nib.load(path)
    assert image.shape == (17, 14, 19, 1, 3)
    assert image.header.get_intent()[::2] == ("vector", "Mapping")
    np.testing.assert_allclose(image.affine, fixed.affine, atol=1e-5)
    truth = transform.map_points(fixed.grid.points().reshape(-1, 3))
    stored = np.asarray(image.dataobj).reshape(-1, 3)
    np.testing.assert_allclose(stored, truth, atol=1e-4)
    points = fixed.grid.to_world(rng.uniform(0, 13, (200, 3)))
    again = read_transform(path).map_points(points)
    apart = np.linalg.norm(again - transform.map_points(points), axis=1).max()
    assert 0 < apart < 1.5 * error < 0.1


def turned(rng, ndim):
    turn = Rotation.from_rotvec(rng.uniform(-0.4, 0.4, 3)).as_matrix()
    if ndim == 2:
        turn = np.array([[0.8, -0.6], [0.6, 0.8]])
    matrix = np.eye(ndim + 1)
    matrix[:-1, :-1], matrix[:-1, -1] = turn, rng.uniform(-9, 9, ndim)
    return matrix


@pytest.fixture(params=[2, 3])
def chain(request, rng):
    """A spline, a rotation, a similarity that stays alone, and what lies below."""
    ndim = request.param
    parameters = random_parameters(rng, ndim, 1, size={2: 0.3, 3: 0.06}[ndim])
    spline = parameters.ours().components[0]
    fine, shape = {2: (0.25, 0.2), 3: (0.3, 0.4, 0.5)}[ndim], {2: (23, 31)}
    fixed = reference_within(rng, parameters.grid, fine, shape.get(ndim, (17, 14, 19)))
    scaled = turned(rng, ndim)
    scaled[:-1, :-1] *= 1.2
    general = np.eye(ndim + 1)
    general[:-1] += 0.1 * rng.normal(size=(ndim, ndim + 1))
    parts = [spline, Affine(turned(rng, ndim)), spline, Affine(scaled), spline]
    return Transform((Affine(general), *parts)), fixed


def kinds(path):
    lines = path.read_text().splitlines()
    return next(line for line in lines if line.startswith("(Transform ")).split('"')[1]


def test_elastix_files_go_on_from_each_other(rng, tmp_path, chain):
    transform, fixed = chain
    path = tmp_path / "TransformParameters.1.txt"
    assert write_transform(path, transform, reference=fixed) == 0
    parts = [tmp_path / f"TransformParameters.1.initial-{n}.txt" for n in range(5)]
    assert sorted(tmp_path.iterdir()) == sorted([*parts, path])
    found = [kinds(part) for part in [*parts, path]]
    assert found == [
        *("AffineTransform", "BSplineTransform", "EulerTransform"),
        *("BSplineTransform", "SimilarityTransform", "BSplineTransform"),
    ]
    last = np.asarray(fixed.grid.shape) - 1
    points = fixed.grid.to_world(last * rng.uniform(size=(100, fixed.grid.ndim)))
    expected = transform.map_points(points)
    np.testing.assert_allclose(
        read_transform(path).map_points(points), expected, atol=1e-7
    )
    names = [part.name for part in [*parts, path]]
    theirs = by_transformix(tmp_path, names, flip_ras_lps(points))
    np.testing.assert_allclose(theirs, flip_ras_lps(expected), atol=2e-4)


def test_elastix_is_told_the_grid_of_the_fixed_image(rng, tmp_path, sheared):
    """Its directions go column by column."""
    fixed, _ = grids(rng, left_handed=True)
    write_transform(tmp_path / "e.txt", sheared, reference=fixed, form="elastix")
    lines = (tmp_path / "e.txt").read_text().splitlines()
    values = dict(line.strip("()").split(" ", 1) for line in lines)
    by_column = [SIGNS * column for column in fixed.directions.T]
    for name, expected in (
        ("Size", fixed.shape),
        ("Spacing", fixed.spacing),
        ("Origin", SIGNS * fixed.affine[:3, 3]),
        ("Direction", np.concatenate(by_column)),
    ):
        found = np.array(values[name].split(), float)
        np.testing.assert_allclose(found, expected, atol=1e-9)


def test_neighbouring_matrices_are_one_file_of_elastix(rng, tmp_path, sheared):
    fixed, _ = grids(rng, left_handed=True)
    write_transform(tmp_path / "e.txt", sheared, reference=fixed, form="elastix")
    assert [path.name for path in tmp_path.iterdir()] == ["e.txt"]


@pytest.mark.parametrize(
    ("name", "form", "message"),
    [
        ("m.lta", None, "FreeSurfer holds a matrix .* the transform deforms, too"),
        ("m.aff12.1D", None, "AFNI holds a matrix"),
        ("m.mat", "flirt", "FSL holds a matrix"),
        ("m.txt", "niftyreg", "NiftyReg holds a matrix"),
        ("m.txt", "elastix", r"another kind \(DenseField\)"),
        ("m.nii.gz", "spm", r"form spm must end with \.nii$"),
        ("m.txt", "niftyreg-disp", r"must end with \.nii\.gz or \.nii$"),
        ("m.mat", "fnirt", "must be one of afni, .* but is fnirt"),
    ],
)
def test_what_a_form_cannot_hold_is_refused(rng, tmp_path, name, form, message):
    fixed, moving = grids(rng, left_handed=True)
    field = np.zeros((*fixed.shape, 3), np.float32)
    transform = Transform((DenseField(field, fixed.affine),))
    with pytest.raises(InputError, match=message):
        write_transform(
            tmp_path / name, transform, reference=fixed, moving=moving, form=form
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "form", "given", "message"),
    [
        ("m.lta", None, ["fixed"], "the moving one isn't given"),
        ("m.mat", "flirt", ["moving"], "the fixed one isn't given"),
        ("m.txt", "elastix", [], "none was given; give the fixed image"),
        ("m.nii", "spm", [], "give the fixed image as the reference"),
        ("m.nii", "niftyreg", [], "give the fixed image as the reference"),
        ("m.nii", "niftyreg-disp", [], "give the fixed image as the reference"),
        ("m.aff12.1D", None, ["fixed"], "those of the fixed image are oblique"),
        ("m.aff12.1D", None, ["moving"], "those of the moving image are oblique"),
    ],
)
def test_images_that_a_form_needs(rng, tmp_path, sheared, name, form, given, message):
    fixed, moving = grids(rng, left_handed=True)
    reference = fixed if "fixed" in given else None
    source = moving if "moving" in given else None
    with pytest.raises(InputError, match=message):
        write_transform(
            tmp_path / name, sheared, reference=reference, moving=source, form=form
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["afni", "flirt", "lta", "niftyreg", "spm"])
def test_forms_of_3d_refuse_a_plane(tmp_path, form):
    ending = {"afni": ".aff12.1D", "lta": ".lta", "spm": ".nii"}.get(form, ".txt")
    plane = Grid((8, 9), np.eye(3))
    with pytest.raises(InputError, match="is 2-d"):
        write_transform(
            tmp_path / f"m{ending}",
            Transform((Affine(np.eye(3)),)),
            reference=plane,
            moving=plane,
            form=form,
        )


def test_convert_reaches_them_all(rng, tmp_path, sheared, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    fixed, moving = grids(rng, left_handed=False)
    for name, grid in (("f.nii", fixed), ("m.nii", moving)):
        write_image(name, random_image(rng, grid.shape, grid.affine))
    write_transform("t.tfm", sheared)
    points = points_of(rng)
    for name, form, again in (
        ("r.mat", "flirt", "[r.mat,0,f.nii,m.nii]"),
        ("r.txt", "niftyreg", "[r.txt,0,niftyreg]"),
        ("r.lta", None, "r.lta"),
        ("TransformParameters.0.txt", None, "TransformParameters.0.txt"),
        ("y_r.nii", "spm", "y_r.nii"),
        ("def.nii.gz", "niftyreg", "def.nii.gz"),
        ("disp.nii", "niftyreg-disp", "disp.nii"),
    ):
        asked = ["--form", form] if form else []
        if name in ("r.mat", "r.lta"):  # what lies between two images
            asked += ["--moving", "m.nii"]
        # A matrix of NiftyReg's is of no image, which would be said of one.
        reference = ["--reference", "f.nii"] if name != "r.txt" else []
        main(["convert", "t.tfm", *reference, *asked, "--output", name])
        said = capsys.readouterr()
        assert said.out == f"{name}\n"
        field = ".nii" in name
        assert said.err == "" or (field and "e-06 mm off" in said.err)
        inside = points if not field else fixed.points().reshape(-1, 3)
        np.testing.assert_allclose(
            read_chain([again]).map_points(inside),
            sheared.map_points(inside),
            atol=1e-3,
        )
    with pytest.raises(SystemExit):
        main(["convert", "r.txt", "--form", "flirt", "--output", "r.lta"])
    assert "form flirt must end with .mat or .txt" in capsys.readouterr().err
