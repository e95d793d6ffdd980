"""`dlir-tf register --transform` in the forms of FreeSurfer and AFNI."""

import copy
import json

import nibabel as nib
import numpy as np
import pytest
from lying_server import CONFIG, good_metadata, good_outputs, http, lying_by_rest
from register_desk import map_by_itk, refused, save, scanner_affine
from scipy import ndimage

from dlir_tf.cli import main

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
