"""`dlir-tf register --transform` in the forms of other programs."""

import copy
import json

import nibabel as nib
import numpy as np
import pytest
from lying_server import CONFIG, good_metadata, good_outputs, http, lying_by_rest
from register_desk import map_by_itk, refused, save, scanner_affine
from scipy import ndimage

from dlir_tf.cli import main
from dlir_tf.transforms import read_transform

RIGID = """
ndim: 3
spacing: null
initial_alignment: header
intensity: {clip_percentiles: null, clip_values: [0, 1000]}
stages:
- {transform: rigid, feature_spacing: 8, downsample: 1}
refinement: {steps: 5, learning_rate: 0.05}
"""
MOVED = ("--output", "out/moved.nii.gz")
BY_RIGID = ("register", "fixed.nii.gz", "moving.nii.gz", "--preset", "r.yaml", *MOVED)


@pytest.fixture
def desk(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "r.yaml").write_text(RIGID)
    array = 1000 * ndimage.gaussian_filter(
        np.random.default_rng(3).uniform(size=(20, 24, 18)), 2.0
    )
    array = np.interp(array, (array.min(), array.max()), (0, 1000)).astype(np.int16)
    straight = np.diag([-1.5, 1.4, 2.0, 1.0])
    straight[:3, 3] = 10, -20, 5
    shifted = straight.copy()
    shifted[:3, 3] += 2.0, -1.0, 1.5
    for name, affine in {
        "fixed": straight,
        "moving": shifted,
        "oblique": scanner_affine(angle=0.3),
    }.items():
        save(tmp_path / f"{name}.nii.gz", array, affine)
    return tmp_path


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(("ending", "kind"), [(".lta", "fs"), (".aff12.1D", "afni")])
def test_nitransforms_reads_what_is_written(desk, capsys, ending, kind):
    import SimpleITK as sitk

    linear = pytest.importorskip("nitransforms.linear")
    written = ("--transform", f"out/t{ending}", "--inverse", f"out/i{ending}")
    main([*BY_RIGID, *written])
    main([*BY_RIGID, "--transform", "out/t.tfm"])
    images = [nib.load(f"{name}.nii.gz") for name in ("fixed", "moving")]
    points = np.random.default_rng(0).uniform(-20, 20, (20, 3))
    there = map_by_itk(sitk.ReadTransform("out/t.tfm"), points)
    assert np.abs(there - points).max() > 0.5
    for name, (reference, moving), places, expected in (
        ("t", images, points, there),
        ("i", images[::-1], there, points),
    ):
        theirs = linear.Affine.from_filename(
            f"out/{name}{ending}", fmt=kind, reference=reference, moving=moving
        )
        np.testing.assert_allclose(theirs.map(places), expected, atol=1e-4)


def test_what_a_matrix_cannot_hold_is_said_before_any_work(desk, capsys):
    lattice = RIGID.replace("rigid, feature", "bspline, control_point")
    (desk / "d.yaml").write_text(lattice)
    by_lattice = [*BY_RIGID[:4], "d.yaml", *MOVED]
    oblique = [*BY_RIGID[:2], "oblique.nii.gz", *BY_RIGID[3:]]
    auto = [*BY_RIGID[:3], *MOVED]
    for command, name, message in (
        (by_lattice, "t.lta", "out/t.lta: such a file holds a matrix alone, but this"),
        (auto, "t.aff12.1D", "this registration deforms; write .h5 or .npz"),
        (oblique, "t.aff12.1D", "but those of the moving image are oblique"),
    ):
        assert message in refused(capsys, desk, *command, "--transform", f"out/{name}")


def of_a_matrix(**settings):
    """What a server says whose model has an affine stage alone."""
    stage = {**CONFIG["stages"][0], "feature_spacing": [4, 4, 1]}
    config = {**CONFIG, "stages": [stage], **settings}
    grid = np.diag([1.5, 1.4, 2.0, 1.0])  # of the fixed image, its axes RAS
    grid[:3, 3] = 10 - 1.5 * 19, -20, 5
    metadata, outputs = (
        copy.deepcopy(good_metadata()),
        {
            **good_outputs(),
            "model_json": [json.dumps({"config": config, "provenance": {}})],
            "grid_affine": [grid.tolist()],
        },
    )
    signature = metadata["metadata"]["signature_def"]["signature_def"]["parameters"]
    del outputs["control_points_2"], signature["outputs"]["control_points_2"]
    return {"metadata": http(metadata), "outputs": http({"outputs": outputs})}


ONE = (*BY_RIGID[:3], *MOVED, "--transform", "out/t.lta")
MANY = ("register", "--pairs", "pairs.csv", "--output", "many", "--transform", "t.lta")


@pytest.mark.parametrize("command", [ONE, MANY], ids=["one", "many"])
def test_a_server_whose_model_deforms_is_not_sent_images(desk, capsys, command):
    (desk / "pairs.csv").write_text("fixed,moving\nfixed.nii.gz,moving.nii.gz\n")
    seen = []
    with lying_by_rest(seen=seen) as address:
        told = refused(capsys, desk, *command, "--server", address)
    assert "t.lta: such a file holds a matrix alone, but this registration" in told
    assert len(seen) == 1, "it was asked for what it has, and for nothing else"


@pytest.mark.parametrize("command", [ONE, MANY], ids=["one", "many"])
def test_what_a_refinement_adds_to_a_servers_matrix_is_known_before_it_begins(
    desk, capsys, command, monkeypatch
):
    (desk / "pairs.csv").write_text("fixed,moving\nfixed.nii.gz,moving.nii.gz\n")
    lattice = {"transform": "bspline", "control_point_spacing": 8, "downsample": 1}
    called = []
    monkeypatch.setattr("dlir_tf.serving.registration.register", called.append)
    with lying_by_rest(**of_a_matrix(refinement={"stages": [lattice]})) as address:
        options = ("--server", address, "--refine", "5")
        with pytest.raises(SystemExit):
            main([*command, *options])
    assert "t.lta: such a file holds a matrix alone, but" in capsys.readouterr().err
    assert not called


def test_a_servers_matrix_is_written(desk, capsys):
    with lying_by_rest(**of_a_matrix()) as address:
        main([*ONE, "--server", address])
    assert (desk / "out/t.lta").exists()


def test_many_pairs_are_refused_at_once(here, capsys):
    (here / "pairs.csv").write_text("fixed,moving\nfixed.nii.gz,moving.nii.gz\n")
    command = ["register", "--pairs", "pairs.csv", "--output", "many"]
    options = ["--model", "model", "--transform", "t.lta"]
    assert "t.lta: such a file holds" in refused(capsys, here, *command, *options)
    assert not (here / "many").exists()


OTHERS = ("--form", "flirt", "--transform", "out/t.mat", "--inverse", "out/i.mat")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_forms_are_what_convert_makes_of_the_transform(desk, capsys):
    """FLIRT's matrix goes from the moving image to the fixed one."""
    main([*BY_RIGID, *OTHERS])
    main([*BY_RIGID, "--transform", "out/t.tfm"])
    two = ("--reference", "fixed.nii.gz", "--moving", "moving.nii.gz")
    main(["convert", "out/t.tfm", "--form", "flirt", *two, "--output", "c.mat"])
    there, back = (np.loadtxt(f"out/{name}.mat") for name in "ti")
    np.testing.assert_allclose(there, np.loadtxt("c.mat"), atol=1e-6)
    assert np.abs(there[:3, 3]).max() > 0.5
    np.testing.assert_allclose(there @ back, np.eye(4), atol=1e-6)


FIELDS = {
    "spm": ("y.nii", "iy.nii"),
    "niftyreg": ("def.nii.gz", "back.nii.gz"),
    "niftyreg-disp": ("disp.nii", "back.nii"),
    "elastix": ("TransformParameters.0.txt", None),
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("form", FIELDS)
def test_what_deforms_is_written_in_forms_that_hold_it(desk, capsys, form):
    import SimpleITK as sitk

    lattice = RIGID.replace("rigid, feature", "bspline, control_point")
    (desk / "d.yaml").write_text(lattice)
    by_lattice = [*BY_RIGID[:4], "d.yaml", *MOVED, "--all-stages"]
    name, inverse = FIELDS[form]
    asked = ["--transform", f"out/{name}"]
    asked += ["--inverse", f"out/{inverse}"] if inverse else []
    main([*by_lattice, "--form", form, *asked])
    main([*by_lattice, "--transform", "out/t.tfm"])
    fixed = nib.load("fixed.nii.gz")
    points = fixed.affine[:3, :3] @ [[8.0, 6], [9, 12], [7, 8]] + fixed.affine[:3, 3:]
    there = map_by_itk(sitk.ReadTransform("out/t.tfm"), points.T)
    assert np.abs(there - points.T).max() > 0.05
    read = read_transform(f"out/{name}")
    np.testing.assert_allclose(read.map_points(points.T), there, atol=2e-3)
    if inverse:
        back = read_transform(f"out/{inverse}").map_points(there)
        np.testing.assert_allclose(back, points.T, atol=0.05)


def test_what_a_form_cannot_hold_is_said_before_any_work(desk, capsys, monkeypatch):
    lattice = RIGID.replace("rigid, feature", "bspline, control_point")
    (desk / "d.yaml").write_text(lattice)
    by_lattice = [*BY_RIGID[:4], "d.yaml", *MOVED]
    flat = np.random.default_rng(0).uniform(size=(20, 24)).astype(np.float32)
    save(desk / "flat.nii.gz", flat, np.eye(4))
    in_2d = ["register", "flat.nii.gz", "flat.nii.gz", *MOVED, "--preset", "rigid-2d"]
    called = []
    monkeypatch.setattr("dlir_tf.cli.work.register.register", called.append)
    niftyreg, flirt, spm, elastix = (
        ("--form", form) for form in ("niftyreg", "flirt", "spm", "elastix")
    )
    for command, asked, told in (
        (by_lattice, OTHERS, "t.mat: such a file holds a matrix alone"),
        (by_lattice, (*niftyreg, "--transform", "out/t.txt"), "holds a matrix alone"),
        (by_lattice, (*elastix, "--inverse", "out/i.txt"), "can't hold the inverse"),
        (in_2d, OTHERS, "holds a matrix of 3-d space alone, but the transform would"),
        (in_2d, (*spm, "--transform", "out/t.nii"), "is between 3-d images"),
        (BY_RIGID, (*spm, "--transform", "out/t.nii.gz"), "must end with .nii"),
        (BY_RIGID, flirt, "--form: is about the files of --transform and --inverse"),
        (BY_RIGID, ("--transform", "out/t.mat"), "out/t.mat: "),
    ):
        assert told in refused(capsys, desk, *command, *asked)
    assert not called


def test_forms_are_written_of_many_pairs(desk, capsys):
    (desk / "pairs.csv").write_text("fixed,moving\nfixed.nii.gz,moving.nii.gz\n")
    many = ("register", "--pairs", "pairs.csv", "--preset", "r.yaml")
    form = ("--form", "flirt", "--transform", "flirt.mat")
    main([*many, "--output", "many", *form])
    main([*BY_RIGID, *OTHERS])
    (folder,) = (path for path in (desk / "many").iterdir() if path.is_dir())
    expected = np.loadtxt("out/t.mat")
    np.testing.assert_allclose(np.loadtxt(folder / "flirt.mat"), expected, atol=1e-6)
